//! Three kinds of failure that never mix: the provider's (data from the plugin), the sandbox's (a plugin was stopped) and
//! the host's (configuration, input and output).

use crate::bindings::llm::provider::errors::Error as ProviderError;
use crate::quota::QuotaExceeded;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Why the sandbox stopped a plugin. The instance is gone; the next turn gets a fresh one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PluginFault {
    /// The plugin's code ended in a trap: a panic, an overflow of the stack, an access out of bounds.
    #[error("the plugin crashed: {0}")]
    Trapped(String),
    /// One call computed longer than it may.
    #[error("the plugin computed for {observed:?} in one call; the limit is {configured:?}")]
    CallBudget {
        /// The limit.
        configured: Duration,
        /// What was seen.
        observed: Duration,
    },
    /// Its calls together computed longer than they may.
    #[error("the plugin computed longer than it may for {open} open turns: {configured:?} each")]
    TurnBudget {
        /// What each open turn, and the time between turns, may take.
        configured: Duration,
        /// How many turns and questions were open.
        open: usize,
    },
    /// A limit on memory, tables, data or effects was passed.
    #[error("the plugin passed its limit of {limit}: {observed} of {configured}")]
    Limit {
        /// Which one, as the field of [`crate::Limits`] is named.
        limit: &'static str,
        /// The limit.
        configured: usize,
        /// What was seen.
        observed: usize,
    },
    /// The instance would have used more than its tenant is granted.
    #[error(transparent)]
    Quota(QuotaExceeded),
    /// The plugin did something its contract with the host forbids.
    #[error("the plugin broke its contract: {0}")]
    Contract(String),
}

/// What went wrong on the host's own side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The bytes are not a plugin of this world.
    #[error("{origin}: {reason}")]
    NotAPlugin {
        /// Where the bytes came from.
        origin: String,
        /// What is wrong with them.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// A plugin was not compiled: the worker that does it was ended, or could not do its work.
    #[error("{origin} was not compiled: {reason}")]
    Compile {
        /// Where the bytes came from.
        origin: String,
        /// What happened.
        reason: String,
    },
    /// The tenant's policy does not grant what is asked for.
    #[error("the policy does not grant {0}")]
    Denied(String),
    /// A limit of the host was reached.
    #[error("the host's limit of {limit} is reached ({configured})")]
    Limit {
        /// Which one, as the field of [`crate::Limits`] is named.
        limit: &'static str,
        /// The limit.
        configured: usize,
    },
    /// A secret of the tenant's policy cannot be read.
    #[error("the secret `{name}` cannot be read: {reason}")]
    Secret {
        /// Its name in the policy.
        name: String,
        /// Why, with nothing of its value.
        reason: String,
    },
    /// The tenant has used up what it is granted. Nothing was asked.
    #[error(transparent)]
    Quota(#[from] QuotaExceeded),
    /// A prompt is larger than the host takes.
    #[error("the conversation has {observed} bytes; the limit is {configured}")]
    PromptTooLarge {
        /// The limit.
        configured: usize,
        /// What was given.
        observed: usize,
    },
    /// A tool that cannot be offered to the model: its own schema is none, or another tool has its name.
    #[error("the tool `{tool}` cannot be offered: {reason}")]
    UnusableTool {
        /// Its name.
        tool: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The turn ran longer than its owner allowed.
    #[error("the turn was not answered within {0:?}")]
    TurnDeadline(Duration),
    /// A question about the provider was not answered in time.
    #[error("the provider did not answer within {0:?}")]
    QueryDeadline(Duration),
    /// The plugin has no answer to a question of this kind.
    #[error("the plugin {plugin} cannot tell {what}")]
    NotOffered {
        /// The plugin.
        plugin: String,
        /// What was asked.
        what: &'static str,
    },
    /// The instance was closed.
    #[error("the instance is closed")]
    Closed,
    /// The engine could not be set up.
    #[error("cannot set up the sandbox: {0}")]
    Engine(String),
    /// A file or directory could not be used.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl HostError {
    pub(crate) fn not_compiled(origin: &str, reason: &str) -> Self {
        Self::NotAPlugin {
            origin: origin.to_owned(),
            reason: format!("it cannot be compiled: {reason}"),
            hint: "build it again for the world in this project's wit/ directory".into(),
        }
    }

    /// What to do about it, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotAPlugin { hint, .. } => Some(hint.clone()),
            Self::Compile { .. } => Some(
                "if the plugin is to be trusted, raise `Limits::compile_deadline` or `Limits::compile_bytes`; else do not load it"
                    .into(),
            ),
            Self::Denied(what) => Some(format!("grant {what} in the tenant's policy, or use another plugin")),
            Self::Limit { limit, .. } => Some(format!("raise `Limits::{limit}`, or do less at once")),
            Self::Secret { .. } => {
                Some("check its address in the tenant's policy, and that the host may read it".into())
            }
            Self::Quota(exceeded) => Some(match exceeded.retry_after {
                Some(after) => format!("wait {:.1} s, or grant more in the tenant's policy", after.as_secs_f64()),
                None => "end something first, or grant more in the tenant's policy".into(),
            }),
            Self::PromptTooLarge { .. } => Some("shorten the conversation, or raise `Limits::prompt_bytes`".into()),
            Self::UnusableTool { .. } => Some("mend the tool's definition, or leave the tool out".into()),
            Self::TurnDeadline(_) => Some("allow more time, or ask for less".into()),
            Self::QueryDeadline(_) => Some("try again later".into()),
            Self::NotOffered { .. } => Some("look at the provider's own pages".into()),
            Self::Io { .. } => Some("check that the path exists and may be written".into()),
            Self::Closed | Self::Engine(_) => None,
        }
    }
}

/// Why a turn ended without an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// The provider failed; the error is data.
    #[error("{}", .0.message)]
    Provider(Box<ProviderError>),
    /// The sandbox stopped the plugin.
    #[error(transparent)]
    Fault(#[from] PluginFault),
    /// The host could not go on.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl TurnError {
    /// The provider's error, when it is one.
    #[must_use]
    pub fn provider(&self) -> Option<&ProviderError> {
        match self {
            Self::Provider(error) => Some(error),
            Self::Fault(_) | Self::Host(_) => None,
        }
    }

    /// What to do about it, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Provider(error) => error.hint.clone(),
            Self::Host(error) => error.hint(),
            Self::Fault(_) => None,
        }
    }

    /// True when the turn ended because its owner cancelled it.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        use crate::bindings::llm::provider::errors::ErrorKind;
        self.provider().is_some_and(|error| error.kind == ErrorKind::Cancelled)
    }
}

impl From<QuotaExceeded> for TurnError {
    fn from(exceeded: QuotaExceeded) -> Self {
        Self::Host(exceeded.into())
    }
}

impl From<ProviderError> for TurnError {
    fn from(error: ProviderError) -> Self {
        Self::Provider(Box::new(error))
    }
}

/// Writes an error with everything that led to it, on one line.
pub(crate) fn one_line(error: impl fmt::Display) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
