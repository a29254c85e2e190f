//! What the tests of the pure parts share, and the simulation of all of them together.

mod simulation;

use crate::bindings::llm::provider::errors::{Error as ProviderError, ErrorKind, ErrorScope, Verdict};

/// A failure before anything was sent.
pub(super) fn error(kind: ErrorKind, verdict: Verdict) -> ProviderError {
    ProviderError {
        kind,
        message: "as the test has it".to_owned(),
        hint: None,
        scope: ErrorScope::Request,
        http_status: None,
        provider_code: None,
        provider_request_id: None,
        retry_after: None,
        request_sent: false,
        output_seen: false,
        tools_ran: false,
        verdict,
    }
}
