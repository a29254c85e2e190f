//! What this plugin asks of the host: everything there is to misuse.

use llm_provider_guest::effects::{EventEffect, HttpEffect, LogEffect, SidecarEffect, TimerEffect, ToolEffect};

llm_provider_guest::compose_effects! {
    /// An effect.
    pub enum Effect {
        /// Events of turns.
        Event(EventEffect),
        /// Requests.
        Http(HttpEffect),
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
