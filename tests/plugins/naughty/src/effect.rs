//! What this plugin asks of the host: everything but HTTP.

use llm_provider_guest::effects::{EventEffect, LogEffect, SidecarEffect, TimerEffect, ToolEffect};

llm_provider_guest::compose_effects! {
    /// An effect.
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
}
