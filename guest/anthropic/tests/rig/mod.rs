//! A dialect to ask, and answers to read.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use llm_provider_anthropic::{Answer, Config, Messages};
use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, Dialect, Piece};
use llm_provider_guest::types::Message;
pub use llmp_dialect_rig::{assistant, bytes, call, image, raw, result, secrets, text, thinking, tool, user};
use serde_json::{Value, json};

/// The dialect with `more` in its configuration.
pub fn dialect(more: Value) -> Messages {
    let mut config = json!({"base-url": "https://api.example", "prompt-cache": "off"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Messages::new(Config::parse(&config.to_string(), &secrets()).unwrap())
}

pub fn ask(messages: Vec<Message>) -> Ask {
    Ask { max_output_tokens: Some(100), ..llmp_dialect_rig::ask("claude", messages) }
}

pub fn hi() -> Ask {
    ask(vec![user(vec![text("hi")])])
}

pub fn body_of(dialect: &Messages, ask: &Ask) -> Value {
    llmp_dialect_rig::body(&dialect.request(ask).unwrap())
}

/// What is sent for this, as configured by default but without the cache.
pub fn body(ask: &Ask) -> Value {
    body_of(&dialect(json!({})), ask)
}

pub fn refused(dialect: &Messages, ask: &Ask) -> Failure {
    dialect.request(ask).expect_err("this cannot be said")
}

pub fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Piece>, Option<Failure>) {
    llmp_dialect_rig::read(Answer::default(), chunks)
}

pub fn pieces(stream: &str) -> Vec<Piece> {
    llmp_dialect_rig::pieces::<Answer>(stream)
}

/// A stream of these events, each named by its type.
pub fn stream(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}
