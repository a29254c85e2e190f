//! The engine with a toy for a dialect.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod toy;

use llm_provider_guest::provider::{Setup, TurnOptions};
use llm_provider_guest::types::{Block, Message, Role, TextBlock, Tool, ToolCall, ToolOwner, ToolResult};
use llmp_dialect_rig::{Host, Preset, tool_options};
pub use llmp_dialect_rig::{header, stream};
use serde_json::{Value, json};
use toy::Toy;

/// How long the toy may be silent, in milliseconds.
pub const TIMEOUT: u64 = 60_000;

/// A host around the toy with one session, number 1.
pub type Rig = Host<Toy>;

pub fn setup(config: &str) -> Setup {
    Setup { config: config.into(), secrets: Vec::new(), seed: 42 }
}

impl Preset for Toy {
    const CONFIG: &'static str = r#"{"model":"toy-1","timeout":60000}"#;
}

pub fn said(role: Role, text: &str) -> Message {
    Message { role, blocks: vec![Block::Text(TextBlock { text: text.into() })] }
}

pub fn user(text: &str) -> Message {
    said(Role::User, text)
}

pub fn assistant(text: &str) -> Message {
    said(Role::Assistant, text)
}

pub fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
}

pub fn calls(ids: &[&str]) -> Message {
    let blocks = ids.iter().map(|id| Block::ToolCall(call(id, "look", "{}"))).collect();
    Message { role: Role::Assistant, blocks }
}

pub fn results(ids: &[&str]) -> Message {
    let result = |id: &&str| ToolResult { call_id: (*id).into(), content: "seen".into(), is_error: false };
    Message { role: Role::User, blocks: ids.iter().map(|id| Block::ToolResult(result(id))).collect() }
}

pub fn tool(name: &str) -> Tool {
    Tool { name: name.into(), description: "looks".into(), parameters: r#"{"type":"object"}"#.into() }
}

pub fn tools(owner: ToolOwner) -> TurnOptions {
    tool_options(&["look", "listen"], owner)
}

/// An answer that says one text.
pub fn saying(text: &str) -> Vec<Value> {
    vec![
        json!({"text": 0}),
        json!({"more": [0, text]}),
        json!({"close": [0, null]}),
        json!({"usage": [10, 2]}),
        json!({"stopped": "stop"}),
    ]
}

/// An answer that calls `look` under these names.
pub fn calling(ids: &[&str]) -> Vec<Value> {
    let mut events = Vec::new();
    for (key, id) in ids.iter().enumerate() {
        events.push(json!({"call": [key, id, "look"]}));
        events.push(json!({"more": [key, format!("{{\"at\":{key}}}")]}));
        events.push(json!({"close": [key, null]}));
    }
    events.extend([json!({"usage": [7, 3]}), json!({"stopped": "calls"})]);
    events
}
