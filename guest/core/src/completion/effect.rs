//! What these plugins ask of the host.

use llm_provider_guest::effects::{CatalogEffect, EventEffect, HttpEffect, LogEffect, TimerEffect, ToolEffect};

llm_provider_guest::compose_effects! {
    /// An effect of a provider that is asked over HTTP.
    pub enum Effect {
        /// Requests.
        Http(HttpEffect),
        /// Deadlines.
        Timer(TimerEffect),
        /// Events of turns.
        Event(EventEffect),
        /// Tools that the host runs.
        Tool(ToolEffect),
        /// Answers to questions about the provider itself.
        Catalog(CatalogEffect),
        /// Lines for the log: the shell's, should the plugin panic.
        Log(LogEffect),
    }
}
