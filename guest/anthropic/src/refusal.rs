//! Failures that the service reports, and the few of which only a text tells.

use llm_provider_core::classify::{Failure, Fault, one_line};
use serde::Deserialize;

/// The body of a refused request, and an `error` event of a stream.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) error: Reason,
    #[serde(default)]
    pub(crate) request_id: Option<String>,
}

/// What the service says.
#[derive(Debug, Deserialize)]
pub(crate) struct Reason {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// The most bytes that are shown of a body that is no report.
const SHOWN: usize = 200;

/// A response that is no answer.
pub(crate) fn of_response(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice::<Report>(body) {
        Ok(report) => {
            let mut failure = failure(report, &format!("the Messages API refused the request (HTTP {status})"));
            // The type of failures without one of their own, said of a 500. Servers that are only compatible say it of
            // every failure, whose status says more.
            if status < 500 && failure.code.as_deref() == Some("api_error") {
                failure.class = failure.code.take();
            }
            failure
        }
        Err(_) => {
            let start = String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body));
            let message =
                format!("the service refused the request (HTTP {status}) and gave no reason that can be read");
            let shown = one_line(&start);
            Failure::of(Fault::Provider, if shown.is_empty() { message } else { format!("{message}: {shown}") })
        }
    }
}

/// A report in the middle of an answer. There is no status here that would say what is wrong with the request.
pub(crate) fn of_stream(report: Report) -> Failure {
    let mut failure = failure(report, "the Messages API broke its answer off");
    if failure.fault == Fault::Provider && failure.code.as_deref() == Some("invalid_request_error") {
        failure.fault = Fault::Invalid;
    }
    failure
}

fn failure(report: Report, what: &str) -> Failure {
    let message = report.error.message.unwrap_or_default();
    let mut code = report.error.kind.filter(|kind| !kind.is_empty());
    let mut fault = Fault::Provider;
    // The type is `invalid_request_error` for these; where it says more, the text has no say.
    if code.as_deref().is_none_or(|code| code == "invalid_request_error") {
        if told::too_long(&message) {
            fault = Fault::PromptTooLong;
        } else if told::out_of_credit(&message) {
            code = Some("billing_error".to_owned());
        }
    }
    let said = if message.is_empty() { code.clone().unwrap_or_else(|| "no reason given".to_owned()) } else { message };
    Failure { code, request_id: report.request_id, ..Failure::of(fault, format!("{what}: {said}")) }
}

/// Where the API has no type of its own and only its text tells. Nothing else looks into texts.
mod told {
    /// The conversation, or it and the answer that was asked for, is larger than the model's window.
    pub(super) fn too_long(message: &str) -> bool {
        message.contains("prompt is too long") || message.contains("exceed context limit")
    }

    /// What was paid for is used up. The API has the type `billing_error` for that, and does not use it here.
    pub(super) fn out_of_credit(message: &str) -> bool {
        message.contains("credit balance is too low")
    }
}
