//! The component around the state machine.

use crate::Messages;
use llm_provider_core::completion::Completions;
use llm_provider_guest::effects::LogEffect;
use llm_provider_guest::log::Level;
use llm_provider_guest::provider::{Input, Setup};
use llm_provider_guest::types::Instant;
use llm_provider_guest::{Perform, Plugin, errors};
use std::panic::PanicHookInfo;

/// The plugin with a panic hook: a trap says nothing by itself, and there is no standard error here.
struct Hooked(Completions<Messages>);

impl Plugin for Hooked {
    type Effect = <Completions<Messages> as Plugin>::Effect;

    fn configure(setup: Setup) -> Result<Self, errors::Error> {
        std::panic::set_hook(Box::new(|panic| LogEffect(Level::Error, panicked(panic)).perform()));
        Completions::configure(setup).map(Self)
    }

    fn handle(&mut self, now: Instant, inputs: Vec<Input>, effects: &mut Vec<Self::Effect>) {
        self.0.handle(now, inputs, effects);
    }
}

llm_provider_guest::export_plugin!(Hooked);

fn panicked(panic: &PanicHookInfo<'_>) -> String {
    format!("the plugin panicked: {panic}")
}
