//! What this plugin asks of the host.

use llm_provider_guest::Perform;
use llm_provider_guest::effects::{
    CatalogEffect, EventEffect, HttpEffect, LogEffect, PermissionEffect, SidecarEffect, TimerEffect, ToolEffect,
};

/// An effect of the Copilot plugin.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Life and input of the CLI.
    Sidecar(SidecarEffect),
    /// Requests to the model's endpoint that the CLI hands over.
    Http(HttpEffect),
    /// Deadlines.
    Timer(TimerEffect),
    /// Events of turns.
    Event(EventEffect),
    /// Lines for the log.
    Log(LogEffect),
    /// Tools that the host runs.
    Tool(ToolEffect),
    /// Permissions that the host's policy decides.
    Permission(PermissionEffect),
    /// Answers to questions about the provider.
    Catalog(CatalogEffect),
}

impl Perform for Effect {
    fn perform(self) {
        match self {
            Self::Sidecar(effect) => effect.perform(),
            Self::Http(effect) => effect.perform(),
            Self::Timer(effect) => effect.perform(),
            Self::Event(effect) => effect.perform(),
            Self::Log(effect) => effect.perform(),
            Self::Tool(effect) => effect.perform(),
            Self::Permission(effect) => effect.perform(),
            Self::Catalog(effect) => effect.perform(),
        }
    }
}

impl From<SidecarEffect> for Effect {
    fn from(effect: SidecarEffect) -> Self {
        Self::Sidecar(effect)
    }
}

impl From<HttpEffect> for Effect {
    fn from(effect: HttpEffect) -> Self {
        Self::Http(effect)
    }
}

impl From<TimerEffect> for Effect {
    fn from(effect: TimerEffect) -> Self {
        Self::Timer(effect)
    }
}

impl From<EventEffect> for Effect {
    fn from(effect: EventEffect) -> Self {
        Self::Event(effect)
    }
}

impl From<LogEffect> for Effect {
    fn from(effect: LogEffect) -> Self {
        Self::Log(effect)
    }
}

impl From<ToolEffect> for Effect {
    fn from(effect: ToolEffect) -> Self {
        Self::Tool(effect)
    }
}

impl From<PermissionEffect> for Effect {
    fn from(effect: PermissionEffect) -> Self {
        Self::Permission(effect)
    }
}

impl From<CatalogEffect> for Effect {
    fn from(effect: CatalogEffect) -> Self {
        Self::Catalog(effect)
    }
}
