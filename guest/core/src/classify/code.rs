//! Codes and classes that providers and the CLI use. Whole words only: never a part of a message.

use super::{Meaning, status};
use llm_provider_guest::errors::{ErrorKind as K, ErrorScope as S, Verdict as V};
use llm_provider_guest::types::Milliseconds;

/// What a provider's error code says; `None` for one that is not known, where the status decides. Among those is
/// Anthropic's `invalid_request_error`, which comes with many statuses and says less than they do.
pub(super) fn meaning(code: &str, hint: Option<Milliseconds>) -> Option<Meaning> {
    let after = |pause: Milliseconds| V::RetryAfter(hint.unwrap_or(pause));
    Some(match code {
        "context_length_exceeded" | "model_max_prompt_tokens_exceeded" | "prompt_too_long" | "request_too_large" => {
            Meaning::new(K::ContextLength, S::Request, V::Compact)
        }
        "insufficient_quota"
        | "quota_exceeded"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "billing_error" => Meaning::new(K::Quota, S::User, V::Surface),
        "invalid_api_key" | "authentication_error" => Meaning::new(K::Authentication, S::User, V::Surface),
        "permission_error" => Meaning::new(K::Permission, S::User, V::Surface),
        "model_not_found" | "model_not_supported" | "DeploymentNotFound" | "not_found_error" => {
            Meaning::new(K::NotFound, S::Model, V::SwitchModel)
        }
        "content_filter" | "content_policy_violation" => Meaning::new(K::ContentFilter, S::Request, V::Surface),
        "rate_limit_error" => Meaning::new(K::RateLimit, S::User, after(status::LIMITED)),
        "model_overloaded" | "overloaded_error" => Meaning::new(K::Overloaded, S::Model, after(status::BUSY)),
        "api_error" => Meaning::new(K::Internal, S::Model, after(status::SHORT)),
        "timeout_error" => Meaning::new(K::Timeout, S::Model, after(status::SHORT)),
        _ => return None,
    })
}

/// What the CLI's `errorType` says (an open string; PROTOCOL section 2). `query` says nothing.
pub(super) fn class(class: &str, hint: Option<Milliseconds>) -> Option<Meaning> {
    Some(match class {
        "authentication" => Meaning::new(K::Authentication, S::User, V::Surface),
        "authorization" => Meaning::new(K::Permission, S::User, V::Surface),
        "policy" => Meaning::new(K::Permission, S::Org, V::Surface),
        "quota" => Meaning::new(K::Quota, S::User, V::Surface),
        "rate_limit" => Meaning::new(K::RateLimit, S::User, V::RetryAfter(hint.unwrap_or(status::LIMITED))),
        "context_limit" => Meaning::new(K::ContextLength, S::Request, V::Compact),
        _ => return None,
    })
}
