//! A plugin that misbehaves on demand: the first word of the prompt names how, the second is its argument.
//!
//! It is built for bare wasm, as the reference plugins are, so what the host does about it, it does to them too.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod breach;
mod effect;
mod failing;
mod greed;
mod invoke;
mod plugin;
mod speech;

pub use effect::Effect;
pub use plugin::Naughty;

#[cfg(target_arch = "wasm32")]
llm_provider_guest::export_plugin!(Naughty);
