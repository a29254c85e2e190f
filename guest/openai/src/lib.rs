//! OpenAI, Azure OpenAI and the many services compatible with them, as a provider plugin.
//!
//! [`AnyApi`] is the dialect: a writer of requests and a reader of answers, both pure. It speaks chat completions or
//! Responses, as its configuration says. The engine that drives it is [`llm_provider_core::completion`].
//!
//! Rules that everything here keeps:
//! - What an API has no place for fails as `unsupported` before anything is sent; nothing is left out in silence, with one
//!   exception: thinking, which chat completions do not take back.
//! - A reader takes what servers really send, as far as its meaning is certain, and refuses the rest as `protocol`.
//! - Text is delivered once, whether it comes in pieces, as a whole, or both.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod address;
mod any;
mod chat;
mod config;
mod counts;
mod image;
mod models;
mod outgoing;
mod refusal;
mod responses;

pub use any::{AnyApi, AnyReader};
pub use chat::ChatReader;
pub use config::{Api, Config, MaxTokensField, Service};
pub use responses::ResponsesReader;

#[cfg(target_arch = "wasm32")]
mod shell;
