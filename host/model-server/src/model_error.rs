//! An error as a provider reports it: a status and a JSON body, in each dialect's shape.

use serde_json::{Value, json};

use crate::dialect::Dialect;

/// An error of the model's service. The body's shape is the dialect's of the request; kind and code follow from the
/// status unless given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    pub(crate) status: u16,
    message: String,
    kind: Option<String>,
    code: Option<String>,
    details: Vec<Value>,
}

impl ModelError {
    /// An error with this HTTP status.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), kind: None, code: None, details: Vec::new() }
    }

    /// The `type` in the body, e.g. `insufficient_quota`; Gemini's `status`.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// The `code` in the body (OpenAI's dialects), e.g. `context_length_exceeded`, or the `reason` of an `ErrorInfo`
    /// (Gemini's), e.g. `API_KEY_INVALID`.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// An object in `details` (Gemini's dialect only), e.g. a `QuotaFailure`.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.details.push(detail);
        self
    }

    pub(crate) fn retry_delay(self, seconds: u64) -> Self {
        self.detail(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s")}))
    }

    /// The body of the HTTP answer; in mid-stream also the data of the error event, but for Responses.
    pub(crate) fn body(&self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::Anthropic => json!({
                "type": "error",
                "error": {"type": self.kind_or(anthropic_kind), "message": self.message},
            }),
            Dialect::ChatCompletions | Dialect::Responses => json!({
                "error": {
                    "message": self.message,
                    "type": self.kind_or(openai_kind),
                    "param": null,
                    "code": self.code_or_default(),
                },
            }),
            Dialect::Gemini => json!({ "error": self.google() }),
        }
    }

    /// What is empty is left out.
    fn google(&self) -> Value {
        let mut error = json!({"code": self.status, "message": self.message});
        let reason = self.code.iter().map(|reason| {
            json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"})
        });
        let details: Vec<Value> = reason.chain(self.details.iter().cloned()).collect();
        let word = self.kind.clone().or_else(|| google_word(self.status).map(str::to_owned));
        if let Some(error) = error.as_object_mut() {
            error.extend(word.map(|word| ("status".to_owned(), json!(word))));
            error.extend((!details.is_empty()).then(|| ("details".to_owned(), json!(details))));
        }
        error
    }

    /// `code` and `message`, as Responses puts them into `response.failed`.
    pub(crate) fn response_error(&self) -> Value {
        let code = self.code_or_default().unwrap_or_else(|| "server_error".to_owned());
        json!({"code": code, "message": self.message})
    }

    fn kind_or(&self, default: fn(u16) -> &'static str) -> String {
        self.kind.clone().unwrap_or_else(|| default(self.status).to_owned())
    }

    fn code_or_default(&self) -> Option<String> {
        let default = match self.status {
            401 => Some("invalid_api_key"),
            404 => Some("model_not_found"),
            429 => Some("rate_limit_exceeded"),
            _ => None,
        };
        self.code.clone().or_else(|| default.map(str::to_owned))
    }
}

/// The `type`s of OpenAI's error bodies.
fn openai_kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "requests",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// The `type`s of Anthropic's error bodies, from its reference of errors.
fn anthropic_kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// Google's words for what a status means (google.rpc, code.proto), of which some statuses have none.
fn google_word(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        500 => "INTERNAL",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_shape_of_the_dialect() {
        let error = ModelError::new(429, "slow down");
        let openai = error.body(Dialect::Responses);
        assert_eq!(openai["error"]["code"], "rate_limit_exceeded");
        assert_eq!(openai["error"]["type"], "requests");
        let anthropic = error.kind("overloaded_error").body(Dialect::Anthropic);
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"]["type"], "overloaded_error");
        assert_eq!(anthropic["error"]["message"], "slow down");
        let gemini = ModelError::new(429, "slow down").retry_delay(7).body(Dialect::Gemini);
        let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"});
        let error = json!({"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED", "details": [retry]});
        assert_eq!(gemini, json!({ "error": error }));
        let key = ModelError::new(400, "no").code("API_KEY_INVALID").body(Dialect::Gemini);
        assert_eq!(key["error"]["status"], "INVALID_ARGUMENT");
        assert_eq!(key["error"]["details"][0]["reason"], "API_KEY_INVALID");
        assert_eq!(ModelError::new(529, "x").body(Dialect::Gemini), json!({"error": {"code": 529, "message": "x"}}));
    }
}
