//! A dialect to ask, and answers to read.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, Dialect, Piece};
use llm_provider_gemini::{Answer, Gemini};
use llm_provider_guest::provider::Setup;
use llm_provider_guest::types::Message;
pub use llmp_dialect_rig::{assistant, bytes, call, image, raw, result, secrets, text, thinking, tool, user};
use serde_json::{Value, json};

/// The dialect with `more` in its configuration.
pub fn configured(more: Value) -> Result<Gemini, Failure> {
    let mut config = json!({"base-url": "https://api.example/v1beta"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Gemini::configure(&Setup { config: config.to_string(), secrets: secrets(), seed: 1 })
}

pub fn dialect(more: Value) -> Gemini {
    configured(more).unwrap()
}

pub fn ask(messages: Vec<Message>) -> Ask {
    llmp_dialect_rig::ask("gemini-3-flash", messages)
}

pub fn hi() -> Ask {
    ask(vec![user(vec![text("hi")])])
}

pub fn body_of(dialect: &Gemini, ask: &Ask) -> Value {
    llmp_dialect_rig::body(&dialect.request(ask).unwrap())
}

/// What is sent without a configuration.
pub fn body(ask: &Ask) -> Value {
    body_of(&dialect(json!({})), ask)
}

pub fn refused(ask: &Ask) -> Failure {
    dialect(json!({})).request(ask).unwrap_err()
}

/// Events of a stream, as the service frames them.
pub fn stream(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
}

/// A chunk with these parts.
pub fn parts(parts: Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}]})
}

/// A chunk that ends an answer.
pub fn stop(reason: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model"}, "finishReason": reason, "index": 0}]})
}

pub fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Piece>, Option<Failure>) {
    llmp_dialect_rig::read(Answer::default(), chunks)
}

pub fn pieces(stream: &str) -> Vec<Piece> {
    llmp_dialect_rig::pieces::<Answer>(stream)
}
