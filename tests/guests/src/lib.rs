//! Plugins that misbehave on demand: the first word of the prompt names how, the second is its argument. Each row of the
//! table of threats has a component of its own (`examples`) that knows the words of its row; `naughty` knows all of them.
//!
//! They are built for bare wasm, as the reference plugins are, so what the host does about them, it does to those too.
#![deny(unsafe_code, missing_docs)]

mod breach;
mod effect;
mod failing;
mod greed;
mod hostile;
mod invoke;
mod outside;
mod plugin;
mod probe;
mod row;
mod speech;

pub use breach::BREACHES;
pub use effect::Effect;
pub use hostile::Hostile;
pub use plugin::Naughty;
pub use row::Row;
