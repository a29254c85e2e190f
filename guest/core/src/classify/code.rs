//! Codes and classes that providers and the CLI use. Whole words only: never a part of a message.

use super::{Meaning, status};
use llm_provider_guest::errors::{ErrorKind as K, ErrorScope as S, Verdict as V};
use llm_provider_guest::types::Milliseconds;

/// What a provider's error code says; `None` for one that is not known, where the status decides. Among those is
/// Anthropic's `invalid_request_error`, which comes with many statuses and says less than they do.
pub(super) fn meaning(code: &str, hint: Option<Milliseconds>) -> Option<Meaning> {
    let after = |pause: Milliseconds| V::RetryAfter(hint.unwrap_or(pause));
    Some(match code {
        "context_length_exceeded"
        | "model_max_prompt_tokens_exceeded"
        | "prompt_too_long"
        | "string_above_max_length"
        | "exceed_context_size_error"
        | "request_too_large" => Meaning::new(K::ContextLength, S::Request, V::Compact),
        "insufficient_quota"
        | "quota_exceeded"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "billing_not_configured"
        | "billing_error"
        | "session_quota_exceeded"
        | "user_weekly_rate_limited" => Meaning::new(K::Quota, S::User, V::Surface),
        "invalid_api_key" | "account_deactivated" | "authentication_error" => {
            Meaning::new(K::Authentication, S::User, V::Surface)
        }
        "permission_error" => Meaning::new(K::Permission, S::User, V::Surface),
        "invalid_organization" | "unsupported_country_region_territory" => {
            Meaning::new(K::Permission, S::Org, V::Surface)
        }
        "model_not_found" | "model_not_supported" | "DeploymentNotFound" | "not_found_error" => {
            Meaning::new(K::NotFound, S::Model, V::SwitchModel)
        }
        "content_filter"
        | "content_policy_violation"
        | "image_content_policy_violation"
        | "ResponsibleAIPolicyViolation" => Meaning::new(K::ContentFilter, S::Request, V::Surface),
        "invalid_prompt"
        | "invalid_image"
        | "image_too_large"
        | "image_parse_error"
        | "unsupported_image_media_type"
        | "failed_to_download_image" => Meaning::new(K::InvalidRequest, S::Request, V::Surface),
        "rate_limit_exceeded" | "rate_limit_error" => Meaning::new(K::RateLimit, S::User, after(status::LIMITED)),
        "server_error" | "api_error" => Meaning::new(K::Internal, S::Model, after(status::SHORT)),
        "timeout_error" => Meaning::new(K::Timeout, S::Model, after(status::SHORT)),
        "model_overloaded" | "overloaded_error" | "engine_overloaded" => {
            Meaning::new(K::Overloaded, S::Model, after(status::BUSY))
        }
        _ => return google(code, hint),
    })
}

/// Google's words: the status of an error (google.rpc, code.proto), its reason (google.api, error_reason.proto), and
/// why the Gemini API blocked a prompt. An unmet precondition is, by Gemini's documentation, a country or an account
/// without billing.
fn google(code: &str, hint: Option<Milliseconds>) -> Option<Meaning> {
    let after = |pause: Milliseconds| V::RetryAfter(hint.unwrap_or(pause));
    Some(match code {
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" => Meaning::new(K::InvalidRequest, S::Request, V::Surface),
        "UNAUTHENTICATED" | "API_KEY_INVALID" | "ACCESS_TOKEN_EXPIRED" | "CREDENTIALS_MISSING" => {
            Meaning::new(K::Authentication, S::User, V::Surface)
        }
        "PERMISSION_DENIED"
        | "FAILED_PRECONDITION"
        | "SERVICE_DISABLED"
        | "CONSUMER_SUSPENDED"
        | "API_KEY_SERVICE_BLOCKED" => Meaning::new(K::Permission, S::User, V::Surface),
        "BILLING_DISABLED" => Meaning::new(K::Quota, S::User, V::Surface),
        "RESOURCE_EXHAUSTED" | "RATE_LIMIT_EXCEEDED" => Meaning::new(K::RateLimit, S::User, after(status::LIMITED)),
        "NOT_FOUND" => Meaning::new(K::NotFound, S::Model, V::SwitchModel),
        "UNIMPLEMENTED" => Meaning::new(K::Unsupported, S::Model, V::SwitchModel),
        "UNAVAILABLE" => Meaning::new(K::Overloaded, S::Model, after(status::BUSY)),
        "DEADLINE_EXCEEDED" => Meaning::new(K::Timeout, S::Model, after(status::SHORT)),
        "INTERNAL" | "UNKNOWN" => Meaning::new(K::Internal, S::Model, after(status::SHORT)),
        "SAFETY" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "IMAGE_SAFETY" => {
            Meaning::new(K::ContentFilter, S::Request, V::Surface)
        }
        _ => return None,
    })
}

/// Codes that are said of every failure of a server: a status from 500 on tells them apart.
pub(super) fn says_less_than_a_status(code: &str) -> bool {
    matches!(code, "server_error" | "api_error")
}

/// What a class of errors says: the CLI's `errorType` (an open string; PROTOCOL section 2), or the `type` of OpenAI's
/// error bodies, for failures that come in a stream, where there is no status. `query` says nothing.
pub(super) fn class(class: &str, hint: Option<Milliseconds>) -> Option<Meaning> {
    Some(match class {
        "authentication" | "authentication_error" => Meaning::new(K::Authentication, S::User, V::Surface),
        "authorization" | "permission_error" => Meaning::new(K::Permission, S::User, V::Surface),
        "policy" => Meaning::new(K::Permission, S::Org, V::Surface),
        "quota" => Meaning::new(K::Quota, S::User, V::Surface),
        "rate_limit" | "rate_limit_error" | "requests" | "tokens" => {
            Meaning::new(K::RateLimit, S::User, V::RetryAfter(hint.unwrap_or(status::LIMITED)))
        }
        "invalid_request_error" => Meaning::new(K::InvalidRequest, S::Request, V::Surface),
        "server_error" => Meaning::new(K::Internal, S::Model, V::RetryAfter(hint.unwrap_or(status::SHORT))),
        "not_found_error" => Meaning::new(K::NotFound, S::Model, V::SwitchModel),
        "context_limit" => Meaning::new(K::ContextLength, S::Request, V::Compact),
        _ => return None,
    })
}
