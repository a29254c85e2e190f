//! A plugin that misbehaves on demand: the first word of the prompt names how, the second is its argument.
//!
//! It is built for bare wasm, as the reference plugins are, so what the host does about it, it does to them too.
#![deny(unsafe_code, missing_docs)]

mod breach;
mod effect;
mod failing;
mod greed;
mod invoke;
mod outside;
mod plugin;
mod probe;
mod row;
mod speech;

pub use breach::BREACHES;
pub use effect::Effect;
pub use plugin::Naughty;
pub use row::Row;

#[cfg(target_arch = "wasm32")]
llm_provider_guest::export_plugin!(Naughty);
