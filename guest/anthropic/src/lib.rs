//! Anthropic's Messages API, and services that speak like it, as a provider plugin.
//!
//! [`Messages`] is a dialect of [`llm_provider_core::completion`]: a writer of requests and a reader of answers, both
//! pure. What the API cannot say is refused before anything is sent; what it says and nobody asked for is ignored and
//! told as unknown.
//!
//! Facts about the API are from its reference (version 2023-06-01) unless a comment says otherwise.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod answer;
mod config;
mod headers;
mod messages;
mod models;
mod refusal;
mod request;
mod signature;

pub use answer::Answer;
pub use config::{Config, PromptCache, ThinkingMode};
pub use messages::Messages;

#[cfg(target_arch = "wasm32")]
mod shell;
