//! How the program fails: one line that says what and where, a hint, an exit code.

mod asked;

pub(crate) use asked::Asked;

use crate::output;
use llm_provider_host::{HostError, TurnError};
use std::process::ExitCode;

/// A failure to tell the person about.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// What happened and where, on one line.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

/// Whose fault it is, as the exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The provider could not answer.
    Provider,
    /// Arguments or configuration are wrong, or the machine does not give what is needed.
    Usage,
    /// A signal ended it: Ctrl-C, or a termination.
    Interrupted,
    /// Whoever read stdout has gone away: nothing to tell, nobody to tell it to.
    ReaderGone,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: FailureKind::Usage, message: message.into(), hint: Some(hint.into()) }
    }

    /// A signal ended it.
    pub(crate) fn interrupted() -> Self {
        Self { kind: FailureKind::Interrupted, message: "interrupted".into(), hint: None }
    }

    /// The same, with the name of whom it is about.
    pub(crate) fn of(self, name: &str) -> Self {
        Self { message: format!("{name}: {}", self.message), ..self }
    }

    /// Says it on stderr.
    pub(crate) fn tell(&self) {
        if self.kind == FailureKind::ReaderGone {
            return;
        }
        output::tell(&format!("error: {}", output::plain(&self.message)));
        if let Some(hint) = &self.hint {
            output::tell(&format!("hint: {}", output::plain(hint)));
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.kind {
            FailureKind::Provider => ExitCode::from(1),
            FailureKind::Usage => ExitCode::from(2),
            FailureKind::Interrupted => ExitCode::from(130),
            FailureKind::ReaderGone => ExitCode::from(141), // as a process that SIGPIPE ended
        }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self { kind: fault_of(&error), hint: error.hint(), message: error.to_string() }
    }
}

impl From<TurnError> for Failure {
    fn from(error: TurnError) -> Self {
        if error.is_cancelled() {
            return Self::interrupted();
        }
        let kind = match &error {
            TurnError::Host(error) => fault_of(error),
            _ => FailureKind::Provider,
        };
        Self { kind, message: error.to_string(), hint: error.hint() }
    }
}

/// Silence is the provider's fault.
fn fault_of(error: &HostError) -> FailureKind {
    match error {
        HostError::TurnDeadline(_) | HostError::QueryDeadline(_) => FailureKind::Provider,
        _ => FailureKind::Usage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn silence_is_the_providers_fault() {
        let time = Duration::from_secs(1);
        for error in [HostError::TurnDeadline(time), HostError::QueryDeadline(time)] {
            assert_eq!(Failure::from(TurnError::Host(error)).kind, FailureKind::Provider);
        }
        assert_eq!(Failure::from(HostError::QueryDeadline(time)).kind, FailureKind::Provider);
        assert_eq!(Failure::from(TurnError::Host(HostError::Closed)).kind, FailureKind::Usage);
    }
}
