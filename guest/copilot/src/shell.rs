//! The component around the state machine.

use crate::AnyMode;
use llm_provider_guest::effects::LogEffect;
use llm_provider_guest::log::Level;
use llm_provider_guest::provider::{Input, Setup};
use llm_provider_guest::types::Instant;
use llm_provider_guest::{Perform, Plugin, errors};
use std::panic::PanicHookInfo;

/// The plugin with a panic hook: a trap says nothing by itself, and there is no standard error here.
struct Hooked(AnyMode);

impl Plugin for Hooked {
    type Effect = crate::Effect;

    fn configure(setup: Setup) -> Result<Self, errors::Error> {
        std::panic::set_hook(Box::new(|panic| LogEffect(Level::Error, panicked(panic)).perform()));
        AnyMode::configure(setup).map(Self)
    }

    fn handle(&mut self, now: Instant, inputs: Vec<Input>, effects: &mut Vec<Self::Effect>) {
        self.0.handle(now, inputs, effects);
    }
}

llm_provider_guest::export_plugin!(Hooked);

fn panicked(panic: &PanicHookInfo<'_>) -> String {
    format!("the plugin panicked: {panic}")
}
