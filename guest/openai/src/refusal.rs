//! Failures as services report them: in the body of a response, or in a stream.
//!
//! OpenAI writes `{"error": {"message", "type", "code", "param"}}`. Others write the same without the outer object, a text
//! instead of the inner one, `detail` for `message`, or a number for the code. Google puts it all into a list.

use llm_provider_core::classify::{Failure, Fault, is_known_code, one_line};
use serde_json::Value;

/// The most of a message that nobody wrote for a person, in characters.
const EXCERPT: usize = 200;

/// What a response that is no answer means.
pub(crate) fn refusal(status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let said = serde_json::from_str::<Value>(text).ok().map(|body| Said::read(&body)).unwrap_or_default();
    let message = match &said.message {
        Some(message) => format!("the model's service refused the request with status {status}: {message}"),
        None if text.starts_with('<') => {
            format!("the model's service refused the request with status {status} and a web page")
        }
        None if text.is_empty() => format!("the model's service refused the request with status {status}"),
        None => {
            let excerpt: String = one_line(text).chars().take(EXCERPT).collect();
            format!("the model's service refused the request with status {status}: {excerpt}")
        }
    };
    let hint = said.hint().or_else(|| status_hint(status)).map(str::to_owned);
    let mut failure = said.failure(message).with_hint(hint);
    failure.status = Some(status);
    if status == 413 && failure.code.as_deref() == Some("rate_limit_exceeded") {
        // Groq's word for a prompt with more tokens than a minute may have: waiting does not help.
        failure.class = failure.code.take();
    }
    failure
}

/// What an error object in a stream, or in a response that claims to be an answer, means.
pub(crate) fn reported(error: &Value) -> Failure {
    let said = Said::read(error);
    let message = match &said.message {
        Some(message) => format!("the model's service reported a failure: {message}"),
        None => "the model's service reported a failure without saying which".to_owned(),
    };
    let hint = said.hint().map(str::to_owned);
    said.failure(message).with_hint(hint)
}

/// The same for the data of an event that is called an error.
pub(crate) fn reported_text(data: &str) -> Failure {
    reported(&serde_json::from_str(data).unwrap_or_else(|_| Value::String(one_line(data))))
}

/// What was found in an error object.
#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    code: Option<String>,
    class: Option<String>,
    param: Option<String>,
    /// A code that is a status: services that ask others for the answer report theirs like this.
    status: Option<u16>,
}

impl Said {
    fn read(body: &Value) -> Self {
        let body = body.as_array().and_then(|list| list.first()).unwrap_or(body);
        let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
        if let Some(text) = error.as_str() {
            return Self { message: some(text), ..Self::default() };
        }
        let text = |key: &str| error.get(key).and_then(Value::as_str).and_then(some);
        let message = text("message").or_else(|| text("detail")).or_else(|| details(error));
        let code = error.get("code").and_then(word);
        let status = code.as_deref().and_then(|code| code.parse().ok()).filter(|code| (400..=599).contains(code));
        let inner = error.pointer("/innererror/code").and_then(word);
        // The data of a Responses stream's error event has the name of the event as its type.
        let class = text("type").filter(|class| class != "error").or_else(|| text("status"));
        let words = [code.as_ref(), inner.as_ref(), class.as_ref()];
        let known = words.into_iter().flatten().find(|word| is_known_code(word)).cloned();
        Self { message, code: known.or(code), class, param: text("param"), status }
    }

    fn failure(self, message: String) -> Failure {
        Failure { status: self.status, code: self.code, class: self.class, ..Failure::of(Fault::Provider, message) }
    }

    /// What to do about a field that the service does not take.
    fn hint(&self) -> Option<&'static str> {
        match self.param.as_deref()? {
            "max_tokens" => Some("set `max-tokens-field` to `max_completion_tokens` in the configuration"),
            "max_completion_tokens" => Some("set `max-tokens-field` to `max_tokens` in the configuration"),
            "stream_options" => Some("set `stream-usage` to false in the configuration"),
            "response_format" | "text.format.schema" => Some(
                "the service takes a subset of JSON schema; change the schema, or set `strict-output-schema` to false",
            ),
            _ => None,
        }
    }
}

fn status_hint(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("check the secret that `api-key` names, and `key-header`"),
        404 | 405 => Some("check `base-url`, `api` and the name of the model"),
        _ => None,
    }
}

/// FastAPI's list of what is wrong with a request.
fn details(error: &Value) -> Option<String> {
    let list = error.get("detail")?.as_array()?;
    let messages: Vec<&str> = list.iter().filter_map(|item| item.get("msg").and_then(Value::as_str)).collect();
    some(&messages.join("; "))
}

/// A code, which some write as a number.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
