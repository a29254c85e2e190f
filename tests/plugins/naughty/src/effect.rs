//! What this plugin asks of the host: everything but HTTP.

use llm_provider_guest::Perform;
use llm_provider_guest::effects::{EventEffect, LogEffect, SidecarEffect, TimerEffect, ToolEffect};

/// An effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Events of turns.
    Event(EventEffect),
    /// Lines for the log.
    Log(LogEffect),
    /// Sidecars.
    Sidecar(SidecarEffect),
    /// Timers.
    Timer(TimerEffect),
    /// Tools.
    Tool(ToolEffect),
}

impl Perform for Effect {
    fn perform(self) {
        match self {
            Self::Event(effect) => effect.perform(),
            Self::Log(effect) => effect.perform(),
            Self::Sidecar(effect) => effect.perform(),
            Self::Timer(effect) => effect.perform(),
            Self::Tool(effect) => effect.perform(),
        }
    }
}
