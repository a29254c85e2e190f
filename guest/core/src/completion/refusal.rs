//! What a response that is no answer means.

use super::dialect::Dialect;
use crate::classify::Failure;
use crate::response::{header, hints};
use llm_provider_guest::http_types::Response;

/// What the dialect reads in the body, with what the head says about it.
pub(super) fn of<D: Dialect>(dialect: &D, response: &Response, body: &[u8]) -> Failure {
    let failure = dialect.refusal(response.status, body);
    let hints = hints(response.status, &response.headers);
    let named = || header(&response.headers, dialect.request_id_header()?).map(str::to_owned);
    Failure {
        status: failure.status.or(Some(response.status)),
        retry_after: failure.retry_after.or(hints.retry_after),
        should_retry: failure.should_retry.or(hints.should_retry),
        request_id: failure.request_id.or_else(named),
        ..failure
    }
}
