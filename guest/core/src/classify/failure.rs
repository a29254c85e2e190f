//! A failure with all that is known of it, on its way to an error.

use super::{Facts, Fault, Meaning, classify};
use llm_provider_guest::errors::Error;
use llm_provider_guest::types::Milliseconds;

/// The longest message that is passed on, in bytes.
const LONGEST: usize = 2_000;

/// A failure of a turn before it is an error: what is known of it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The kind of thing that failed.
    pub fault: Fault,
    /// The HTTP status of the model's endpoint.
    pub status: Option<u16>,
    /// The provider's error code.
    pub code: Option<String>,
    /// The peer's own class of error.
    pub class: Option<String>,
    /// The provider's name for the request.
    pub request_id: Option<String>,
    /// When the provider says to come back.
    pub retry_after: Option<Milliseconds>,
    /// Whether the provider says that trying again makes sense.
    pub should_retry: Option<bool>,
    /// What happened and where. It may have many lines here.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of which only the kind is known.
    pub fn of(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            fault,
            status: None,
            code: None,
            class: None,
            request_id: None,
            retry_after: None,
            should_retry: None,
            message: message.into(),
            hint: None,
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// What the failure means.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        classify(&self.facts())
    }

    /// The error for the owner of the turn, without the facts about reach, which the turn knows.
    #[must_use]
    pub fn error(&self) -> Error {
        let error = super::error(&self.facts(), one_line(&self.message));
        Error { provider_request_id: self.request_id.clone(), hint: self.hint.clone(), ..error }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            fault: self.fault,
            status: self.status,
            code: self.code.as_deref(),
            class: self.class.as_deref(),
            retry_after: self.retry_after,
            should_retry: self.should_retry,
        }
    }
}

/// One line of bounded length: line breaks become blanks.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for word in text.split_whitespace() {
        if line.len() + word.len() >= LONGEST {
            line.push_str(" ...");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}
