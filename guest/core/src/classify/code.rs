//! Codes and classes that providers and the CLI use. Whole words only: never a part of a message.

use super::{Meaning, status};
use llm_provider_guest::errors::{ErrorKind as K, ErrorScope as S, Verdict as V};
use llm_provider_guest::types::Milliseconds;

/// What a provider's error code says; `None` for one that is not known, where the status decides.
pub(super) fn meaning(code: &str) -> Option<Meaning> {
    Some(match code {
        "context_length_exceeded" | "model_max_prompt_tokens_exceeded" | "prompt_too_long" => {
            Meaning::new(K::ContextLength, S::Request, V::Compact)
        }
        "insufficient_quota" | "quota_exceeded" | "billing_hard_limit_reached" | "billing_not_active" => {
            Meaning::new(K::Quota, S::User, V::Surface)
        }
        "invalid_api_key" => Meaning::new(K::Authentication, S::User, V::Surface),
        "model_not_found" | "model_not_supported" | "DeploymentNotFound" => {
            Meaning::new(K::NotFound, S::Model, V::SwitchModel)
        }
        "content_filter" | "content_policy_violation" => Meaning::new(K::ContentFilter, S::Request, V::Surface),
        "model_overloaded" | "overloaded_error" => Meaning::new(K::Overloaded, S::Model, V::RetryAfter(status::BUSY)),
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
