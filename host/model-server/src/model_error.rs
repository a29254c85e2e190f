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
}

impl ModelError {
    /// An error with this HTTP status.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), kind: None, code: None }
    }

    /// The `type` in the body, e.g. `insufficient_quota`.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// The `code` in the body (OpenAI's dialects only), e.g. `context_length_exceeded`.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The body of the HTTP answer; in mid-stream also the data of chat completions' and Anthropic's error event.
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
        }
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
    }
}
