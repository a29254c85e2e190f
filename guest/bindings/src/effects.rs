//! Effects as values, one type for each capability.
//!
//! A plugin composes its own effect type from these. What it leaves out is not linked, so it does not appear among the
//! component's imports.

use crate::errors::Error;
use crate::plugin::Perform;
use crate::secrets::Chunk;
use crate::types::{Milliseconds, QueryId, ToolCall, TurnId};
use crate::{catalog, events, http, log, permissions, sidecar, timers, tools};

/// Requests through the `http` import.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpEffect {
    /// Sends a request.
    Send(http::RequestId, http::Request),
    /// Gives one up.
    Cancel(http::RequestId),
}

impl Perform for HttpEffect {
    fn perform(self) {
        match self {
            Self::Send(id, request) => http::send(id, &request),
            Self::Cancel(id) => http::cancel(id),
        }
    }
}

/// Life and input of sidecars.
#[derive(Clone, Debug, PartialEq)]
pub enum SidecarEffect {
    /// Starts one.
    Start(sidecar::SidecarId, sidecar::Spec),
    /// Writes to its standard input.
    Send(sidecar::SidecarId, Vec<Chunk>),
    /// Ends its standard input.
    CloseInput(sidecar::SidecarId),
    /// Ends it.
    Stop(sidecar::SidecarId, sidecar::StopMode),
}

impl Perform for SidecarEffect {
    fn perform(self) {
        match self {
            Self::Start(id, spec) => sidecar::start(id, &spec),
            Self::Send(id, data) => sidecar::send(id, &data),
            Self::CloseInput(id) => sidecar::close_input(id),
            Self::Stop(id, mode) => sidecar::stop(id, mode),
        }
    }
}

/// Tools that the host runs.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolEffect {
    /// Runs one.
    Invoke(TurnId, ToolCall),
}

impl Perform for ToolEffect {
    fn perform(self) {
        match self {
            Self::Invoke(turn, call) => tools::invoke(turn, &call),
        }
    }
}

/// Permissions that the host's policy decides.
#[derive(Clone, Debug, PartialEq)]
pub enum PermissionEffect {
    /// Asks for one.
    Ask(TurnId, permissions::PermissionRequest),
}

impl Perform for PermissionEffect {
    fn perform(self) {
        match self {
            Self::Ask(turn, request) => permissions::ask(turn, &request),
        }
    }
}

/// Answers to questions about the provider itself.
#[derive(Clone, Debug, PartialEq)]
pub enum CatalogEffect {
    /// Which models there are.
    Models(QueryId, Result<Vec<catalog::Model>, Error>),
    /// What is left of what was granted.
    Quota(QueryId, Result<Vec<catalog::Allowance>, Error>),
}

impl Perform for CatalogEffect {
    fn perform(self) {
        match self {
            Self::Models(id, result) => catalog::models(id, result.as_deref()),
            Self::Quota(id, result) => catalog::quota(id, result.as_deref()),
        }
    }
}

/// Timers.
#[derive(Clone, Debug, PartialEq)]
pub enum TimerEffect {
    /// Starts or moves one.
    Set(timers::TimerId, Milliseconds),
    /// Stops one.
    Clear(timers::TimerId),
}

impl Perform for TimerEffect {
    fn perform(self) {
        match self {
            Self::Set(id, after) => timers::set(id, after),
            Self::Clear(id) => timers::clear(id),
        }
    }
}

/// Events of turns.
#[derive(Clone, Debug, PartialEq)]
pub struct EventEffect(pub TurnId, pub events::Event);

impl Perform for EventEffect {
    fn perform(self) {
        events::emit(self.0, &self.1);
    }
}

/// Lines for the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEffect(pub log::Level, pub String);

impl Perform for LogEffect {
    fn perform(self) {
        log::write(self.0, &self.1);
    }
}

/// Makes a plugin's effect type out of effects of the host's capabilities: an enum with [`Perform`] and a conversion from
/// each. What it names is what the component imports.
///
/// ```
/// use llm_provider_guest::effects::{EventEffect, TimerEffect};
///
/// llm_provider_guest::compose_effects! {
///     /// What this plugin asks of the host.
///     pub enum Effect {
///         /// Events of turns.
///         Event(EventEffect),
///         /// Deadlines.
///         Timer(TimerEffect),
///     }
/// }
/// ```
#[macro_export]
macro_rules! compose_effects {
    ($(#[$doc:meta])* $visible:vis enum $name:ident { $($(#[$part_doc:meta])* $part:ident($effect:ty)),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        $visible enum $name {
            $($(#[$part_doc])* $part($effect)),+
        }

        impl $crate::Perform for $name {
            fn perform(self) {
                match self {
                    $(Self::$part(effect) => $crate::Perform::perform(effect)),+
                }
            }
        }

        $(impl From<$effect> for $name {
            fn from(effect: $effect) -> Self {
                Self::$part(effect)
            }
        })+
    };
}
