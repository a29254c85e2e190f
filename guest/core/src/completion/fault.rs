//! Failures of the way to the provider: what the host tells of a request that has no response, or half of one.

use crate::classify::{Failure, Fault};
use crate::response::header;
use llm_provider_guest::http_types::{self, FailureKind, Response};
use llm_provider_guest::types::Milliseconds;

/// What a failed request means.
pub(super) fn of(failure: &http_types::Failure) -> Failure {
    let (fault, hint) = match failure.kind {
        FailureKind::Denied => (Fault::Denied, Some("grant the endpoint's origin, and the key to it, in the policy")),
        FailureKind::Exhausted => (Fault::Exhausted, Some("wait, or grant more in the tenant's policy")),
        FailureKind::Invalid => (Fault::Invalid, None),
        FailureKind::Dns => (Fault::Transport, Some("check the endpoint's address and the network")),
        FailureKind::Connect => (Fault::Transport, Some("check that the endpoint is up and can be reached from here")),
        FailureKind::Tls => (Fault::Certificate, Some("check the endpoint's certificate and the trusted authorities")),
        FailureKind::Timeout => (Fault::Timeout, None),
        FailureKind::Broken => (Fault::Transport, None),
        FailureKind::TooLarge => (Fault::TooLarge, None),
    };
    let message = format!("the request to the model's endpoint failed: {}", failure.message);
    let retry_after = failure.retry_after;
    Failure { retry_after, ..Failure::of(fault, message).with_hint(hint.map(str::to_owned)) }
}

/// The answer stopped in the middle, or did not come at all.
pub(super) fn silent(timeout: Milliseconds) -> Failure {
    let time = if timeout.is_multiple_of(1_000) { format!("{} s", timeout / 1_000) } else { format!("{timeout} ms") };
    Failure::of(Fault::Timeout, format!("the model's endpoint was silent for {time}"))
}

/// The owner wants no more of it.
pub(super) fn cancelled(why: &str) -> Failure {
    Failure::of(Fault::Cancelled, why)
}

/// The host is about to close the instance.
pub(super) fn closing() -> Failure {
    cancelled("the plugin is shutting down")
}

/// Whether a response with a good status is a page for people: what a proxy says, or an address beside the service's.
pub(super) fn is_web_page(response: &Response) -> bool {
    media_type(response) == "text/html"
}

/// The media type of a body, in lower case and without parameters; empty when it is not told.
pub(super) fn media_type(response: &Response) -> String {
    let kind = header(&response.headers, "content-type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A response with a good status that is no answer.
pub(super) fn web_page() -> Failure {
    let message = "the endpoint answered with a web page instead of an answer";
    Failure::of(Fault::Protocol, message).with_hint(Some("check the path of the endpoint's base-url".to_owned()))
}
