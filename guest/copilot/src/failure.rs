//! Failures: from what the CLI tells to facts, and the few places where only a text tells.

pub(crate) use llm_provider_core::classify::{Failure, one_line};

use crate::egress::Seen;
use crate::wire::event;
use llm_provider_core::classify::Fault;
use llm_provider_core::response::Hints;
use llm_provider_core::rpc::RpcError;
use llm_provider_guest::sidecar_types::Exit;

/// The last failed try of a model call, as `model.call_failure` tells it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempt {
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) transport: bool,
    pub(crate) message: String,
    /// What the endpoint says about trying again. Only where its answer was seen on the way.
    pub(crate) hints: Hints,
    /// The endpoint's name for the request. Only where its answer was seen on the way.
    pub(crate) request_id: Option<String>,
}

impl Attempt {
    /// As the CLI tells it.
    pub(crate) fn of(failure: event::CallFailure<'_>) -> Self {
        Self {
            status: failure.status_code,
            code: failure.error_code.map(|code| code.0.into_owned()),
            transport: failure.failure_kind.is_some_and(|kind| kind.0 == "transport"),
            message: failure.error_message.map_or_else(String::new, |message| message.0.into_owned()),
            hints: Hints::default(),
            request_id: None,
        }
    }

    /// With what was seen of the endpoint's answer, where the CLI says nothing.
    pub(crate) fn seen(mut self, seen: Option<&Seen>) -> Self {
        if let Some(Seen { status, hints, request_id }) = seen.cloned() {
            self.status = self.status.or(status);
            self.hints.retry_after = self.hints.retry_after.or(hints.retry_after);
            self.hints.should_retry = self.hints.should_retry.or(hints.should_retry);
            self.request_id = self.request_id.or(request_id);
        }
        self
    }
}

/// A failed try that no repetition can help.
pub(crate) fn of_attempt(attempt: &Attempt) -> Failure {
    let status = attempt.status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
    Failure {
        fault: if attempt.transport { Fault::Transport } else { Fault::Provider },
        status: attempt.status,
        code: attempt.code.clone(),
        class: None,
        request_id: attempt.request_id.clone(),
        retry_after: attempt.hints.retry_after,
        should_retry: attempt.hints.should_retry,
        message: format!("the model's endpoint refused the request{status}: {}", attempt.message),
        hint: None,
    }
}

/// What the CLI says a turn failed of, with the last failed try and whether the model's last message was empty.
pub(crate) fn reported(error: &event::Failure<'_>, attempt: Attempt, empty_message: bool) -> Failure {
    // A credential that could not be looked at was not refused, whatever else the text says.
    let unreachable = error.status_code.is_none() && told::unreachable(&error.message);
    let fault = if unreachable {
        Fault::Transport
    } else if told::unauthenticated(&error.message) {
        Fault::Unauthenticated
    } else if told::prompt_too_long(&error.message) {
        Fault::PromptTooLong
    } else if told::session_lost(&error.message) {
        Fault::SessionLost
    } else if error.status_code.is_none() && attempt.transport {
        Fault::Transport
    } else if empty_message {
        Fault::EmptyAnswer
    } else {
        Fault::Provider
    };
    Failure {
        fault,
        status: error.status_code.or(attempt.status),
        code: error.error_code.as_ref().map(|code| code.0.to_string()).or(attempt.code),
        class: (!unreachable).then(|| error.error_type.to_string()),
        request_id: error.provider_call_id.as_ref().map(|id| id.0.to_string()).or(attempt.request_id),
        retry_after: attempt.hints.retry_after,
        should_retry: attempt.hints.should_retry,
        message: error.message.to_string(),
        hint: None,
    }
}

/// A request of ours that the CLI refused. Nearly all refusals have the code -32603, so the text must tell.
pub(crate) fn refused(what: &str, error: &RpcError) -> Failure {
    let fault = if told::unreachable(&error.message) {
        Fault::Transport
    } else if told::unauthenticated(&error.message) {
        Fault::Unauthenticated
    } else if told::session_lost(&error.message) {
        Fault::SessionLost
    } else {
        Fault::Provider
    };
    Failure::of(fault, format!("the Copilot CLI refused {what}: {}", error.message))
}

/// What happened to a process, for a person.
pub(crate) fn exit(exit: &Exit) -> String {
    let mut message = match (exit.code, exit.signal) {
        (_, Some(signal)) => format!("the Copilot CLI was ended by signal {signal}"),
        (Some(code), None) => format!("the Copilot CLI exited with code {code}"),
        (None, None) => "the Copilot CLI ended".to_owned(),
    };
    if let Some(reason) = &exit.reason {
        message.push_str(&format!(" ({reason})"));
    }
    let tail = exit.stderr_tail.trim();
    if !tail.is_empty() {
        message.push_str(&format!("; its last words: {tail}"));
    }
    message
}

/// Where the CLI gives no code and only its text tells (PROTOCOL sections 2, 3 and 5). Nothing else looks into texts.
pub(crate) mod told {
    /// The session is not known to the server: section 3, "There is no distinct code: match text".
    pub(crate) fn session_lost(message: &str) -> bool {
        message.contains("Session not found") || message.contains("Session file not found")
    }

    /// There is no credential, or GitHub does not take it: section 5 (at `session.create`), section 3 (at the turn, as
    /// `query` without a status), section 8 (old versions).
    pub(crate) fn unauthenticated(message: &str) -> bool {
        [
            "No GitHub OAuth token or Copilot HMAC key provided",
            "Authentication failed: ",
            "GitHub token validation failed",
            "Failed to fetch Copilot user info: 401",
            "No authentication info available",
            "Not authenticated. Please authenticate first.",
        ]
        .iter()
        .any(|text| message.contains(text))
    }

    /// The conversation is over the model's budget: section 2, `query` without a status after 413 or a truncation.
    pub(crate) fn prompt_too_long(message: &str) -> bool {
        message.contains("rejected the prompt as too long") || message.contains("exceeds the model's prompt budget")
    }

    /// The model's endpoint could not be reached or its answer not be read, where no `model.call_failure` came before:
    /// section 2, rows "garbage", "RST" and "connection refused". Nor could GitHub, to ask it about a token: section 5.
    pub(crate) fn unreachable(message: &str) -> bool {
        [
            "Could not connect to local model provider",
            "[ENOTFOUND]",
            "Connection reset by peer",
            "error sending request",
            "network fetch failed",
        ]
        .iter()
        .any(|text| message.contains(text))
    }

    /// What the CLI writes in place of an answer that a filter took whole: section 2, row "content_filter".
    pub(crate) const FILTERED: &str =
        "The model returned no content because the response was blocked by content filtering.";

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_texts_as_the_cli_writes_them() {
            assert!(session_lost("Request session.send failed with message: Session not found for sessionId: ID"));
            assert!(session_lost("Failed to load session events: Session not found: ID"));
            assert!(session_lost("Request session.send failed with message: Session not found: nope-1"));
            assert!(unauthenticated(
                "Execution failed: InvalidArg, No GitHub OAuth token or Copilot HMAC key provided"
            ));
            assert!(unauthenticated(
                "GitHub token validation failed: Failed to fetch Copilot user info: 401 Unauthorized"
            ));
            assert!(prompt_too_long(
                "Request exceeds the model's prompt budget after reserving output (200035 tokens; limit 128000). \
                 Reduce context or compact before continuing."
            ));
            assert!(unreachable("Could not connect to local model provider at http://127.0.0.1:9/v1"));
            assert!(unreachable("Failed to validate SDK token: network fetch failed: request failed"));
            assert!(!session_lost("not found") && !unauthenticated("authentication") && !prompt_too_long("prompt"));
        }
    }
}
