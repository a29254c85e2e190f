//! What the tests of HTTP providers have in common, whatever the dialect.
//!
//! [`Host`] drives the engine natively and keeps to the contract, [`Monitor`] holds the engine to it. [`fuzzed`] plays any
//! bytes as a response, for the fuzz targets and for the replay of their corpora. The rest are things to say and to read.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A panic here is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod effects;
pub mod fuzzed;
mod host;
mod monitor;
mod say;
mod wire;

pub use effects::{called, last, sent, told};
pub use host::{Host, Preset};
pub use monitor::Monitor;
pub use say::{ask, assistant, call, header, image, raw, result, secrets, text, thinking, tool, tool_options, user};
pub use wire::{body, bytes, pieces, read, stream, written};
