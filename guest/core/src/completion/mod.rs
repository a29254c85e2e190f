//! The engine of providers that are asked over HTTP with the whole conversation each time.
//!
//! [`Completions`] is a plugin in a [`Dialect`]: it holds the turns, sends the requests, runs the rounds of tools within a
//! turn, watches the deadlines and tells the events. A dialect writes requests and reads answers, and both are pure. So
//! what one service says differently stands in its dialect, and everything else stands here once.

mod admit;
mod dialect;
mod effect;
mod engine;
mod fault;
mod piece;
mod queries;
mod refusal;
mod reply;
mod run;

pub use dialect::{ACTIVITY_TIMEOUT, Ask, Dialect, Page, Reader, Settings};
pub use effect::Effect;
pub use engine::Completions;
pub use piece::{BlockKey, Piece};
