//! Google's Gemini API, and services that speak like it, as a provider plugin.
//!
//! [`Gemini`] is a dialect of [`llm_provider_core::completion`]: a writer of requests and a reader of answers, both
//! pure. What the API cannot say is refused before anything is sent; what it says and nobody asked for is ignored and
//! told as unknown. So are images, which models for pictures send by themselves: the world has no block for them.
//!
//! The API signs parts of an answer, also calls and texts, and insists on having the signatures back on the same parts.
//! They travel as thinking blocks before what they belong to: see `signature`.
//!
//! Facts about the API are from its reference (v1beta) unless a comment says otherwise.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod answer;
mod config;
mod dialect;
mod generation;
mod models;
mod outgoing;
mod refusal;
mod request;
mod signature;

pub use answer::Answer;
pub use config::{Config, SafetySetting, ThinkingMode};
pub use dialect::Gemini;

#[cfg(target_arch = "wasm32")]
mod shell;
