//! What this plugin asks of the host.

use llm_provider_guest::effects::{
    CatalogEffect, EventEffect, HttpEffect, LogEffect, PermissionEffect, SidecarEffect, TimerEffect, ToolEffect,
};

llm_provider_guest::compose_effects! {
    /// An effect of the Copilot plugin.
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
}
