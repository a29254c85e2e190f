//! HTTP statuses.

use super::Meaning;
use llm_provider_guest::errors::{ErrorKind as K, ErrorScope as S, Verdict as V};
use llm_provider_guest::types::Milliseconds;

/// A pause after a failure that is over soon: the base of the accepted exponential back-off.
pub(super) const SHORT: Milliseconds = 500;
/// A pause for a provider that is out of capacity.
pub(super) const BUSY: Milliseconds = 2_000;
/// A pause after a rate limit that does not say how long: most limits are by the minute, and half of one has passed.
pub(super) const LIMITED: Milliseconds = 30_000;

/// What a status alone says; `None` for one that says nothing about a failure.
pub(super) fn meaning(status: u16, hint: Option<Milliseconds>) -> Option<Meaning> {
    let after = |pause: Milliseconds| V::RetryAfter(hint.unwrap_or(pause));
    Some(match status {
        401 => Meaning::new(K::Authentication, S::User, V::Surface),
        402 => Meaning::new(K::Quota, S::User, V::Surface),
        403 => Meaning::new(K::Permission, S::User, V::Surface),
        404 => Meaning::new(K::NotFound, S::Model, V::SwitchModel),
        408 => Meaning::new(K::Timeout, S::Request, V::RetryNow),
        409 | 425 => Meaning::new(K::Overloaded, S::Request, after(SHORT)),
        413 => Meaning::new(K::ContextLength, S::Request, V::Compact),
        429 => Meaning::new(K::RateLimit, S::User, after(LIMITED)),
        400..=499 => Meaning::new(K::InvalidRequest, S::Request, V::Surface),
        501 => Meaning::new(K::Unsupported, S::Model, V::SwitchModel),
        503 | 529 => Meaning::new(K::Overloaded, S::Model, after(BUSY)),
        504 => Meaning::new(K::Timeout, S::Model, after(SHORT)),
        500..=599 => Meaning::new(K::Internal, S::Model, after(SHORT)),
        _ => return None,
    })
}
