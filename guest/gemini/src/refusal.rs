//! Failures that the service reports, and the few of which only a text tells.
//!
//! The body is `{"error": {"code", "message", "status", "details"}}`, in a list where an answer would be one. The code
//! is the HTTP status; the status is a word; the details are objects, each with its type (google.rpc,
//! error_details.proto).

use llm_provider_core::classify::{Failure, Fault, is_known_code, one_line};
use llm_provider_guest::types::Milliseconds;
use serde::Deserialize;
use serde_json::Value;

/// What the service says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reason {
    code: Value,
    message: Option<String>,
    status: Option<String>,
    details: Value,
}

/// The most bytes that are shown of a body that is no report.
const SHOWN: usize = 200;

/// A response that is no answer.
pub(crate) fn of_response(status: u16, body: &[u8]) -> Failure {
    match report(body) {
        Some(reason) => failure(&reason, &format!("the Gemini API refused the request (HTTP {status})")),
        None => {
            let start = String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body));
            let message =
                format!("the service refused the request (HTTP {status}) and gave no reason that can be read");
            let shown = one_line(&start);
            Failure::of(Fault::Provider, if shown.is_empty() { message } else { format!("{message}: {shown}") })
        }
    }
}

/// A report in the middle of an answer.
pub(crate) fn of_stream(reason: Reason) -> Failure {
    let status = reason.code.as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
    Failure { status, ..failure(&reason, "the Gemini API broke its answer off") }
}

/// The service's word for why it did not answer at all.
pub(crate) fn blocked(reason: &str, message: Option<&str>) -> Failure {
    let why = message.filter(|why| !why.is_empty()).map(|why| format!(": {why}")).unwrap_or_default();
    let message = format!("the Gemini API blocked the prompt ({}){why}", reason.escape_debug());
    // `OTHER` and words of the future say as little, but it is blocked all the same.
    let code = if is_known_code(reason) { reason } else { "content_filter" };
    Failure { code: Some(code.to_owned()), ..Failure::of(Fault::Provider, message) }
}

fn report(body: &[u8]) -> Option<Reason> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let body = body.as_array().and_then(|list| list.first()).unwrap_or(&body);
    Reason::deserialize(body.get("error").filter(|error| error.is_object())?).ok()
}

fn failure(reason: &Reason, what: &str) -> Failure {
    let message = reason.message.as_deref().unwrap_or_default();
    let status = reason.status.as_deref().filter(|status| !status.is_empty());
    let said = if message.is_empty() { status.unwrap_or("no reason given") } else { message };
    let mut failure = Failure {
        code: code(reason, status).map(str::to_owned),
        retry_after: details(reason, "RetryInfo").find_map(pause),
        request_id: details(reason, "RequestInfo").find_map(request_id),
        ..Failure::of(Fault::Provider, format!("{what}: {said}"))
    };
    if failure.code.as_deref() == Some("INVALID_ARGUMENT") && told::too_long(message) {
        failure.fault = Fault::PromptTooLong;
    }
    failure
}

/// What is used up for the day is told as a rate limit. It stays used up, whatever the service says about coming back.
fn code<'a>(reason: &'a Reason, status: Option<&'a str>) -> Option<&'a str> {
    if details(reason, "QuotaFailure").any(is_of_a_day) {
        return Some("quota_exceeded");
    }
    let reasons = details(reason, "ErrorInfo").filter_map(|info| info.get("reason").and_then(Value::as_str));
    reasons.filter(|reason| is_known_code(reason)).chain(status).next()
}

fn details<'a>(reason: &'a Reason, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    let all = reason.details.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(move |detail| {
        let url = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
        url.rsplit('.').next() == Some(kind)
    })
}

/// Whether a limit that was met is one by the day. Their names are put together from what is limited, such as
/// `GenerateRequestsPerDayPerProjectPerModel-FreeTier`.
fn is_of_a_day(failure: &Value) -> bool {
    let violations = failure.get("violations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    violations.iter().any(|met| met.get("quotaId").and_then(Value::as_str).is_some_and(|id| id.contains("PerDay")))
}

/// A span as JSON has it: seconds with up to nine digits after the point, and an `s`.
fn pause(info: &Value) -> Option<Milliseconds> {
    let seconds: f64 = info.get("retryDelay")?.as_str()?.strip_suffix('s')?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1_000.0).ceil() as Milliseconds)
}

/// The service's name for the request, where it gives one.
fn request_id(info: &Value) -> Option<String> {
    info.get("requestId")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Where the API has no word of its own and only its text tells. Nothing else looks into texts.
mod told {
    /// The conversation is larger than the model's window.
    pub(super) fn too_long(message: &str) -> bool {
        message.contains("input token count") && message.contains("exceeds the maximum number of tokens")
    }
}
