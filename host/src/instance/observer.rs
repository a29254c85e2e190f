//! A look at everything that crosses the boundary.

use crate::bindings::exports::llm::provider::provider::Input;
use crate::effect::Effect;

/// Sees each `handle` call of an instance: its time, its inputs, its effects. The inputs are what a replay needs; they
/// hold no secret, because a plugin never gets one. Called on the actor: keep it short.
pub trait Observer: Send + Sync {
    /// One call.
    fn handled(&self, now: u64, inputs: &[Input], effects: &[Effect]);
}
