//! Anthropic Messages.

use bytes::BytesMut;
use serde::Serialize;
use serde_json::{Value, json};

use super::{About, Dialect, Encode, Piece, SIGNATURE};
use crate::answer::{Answer, Block, Finish, Usage};
use crate::model_error::ModelError;
use crate::sse;

/// Writes one answer.
pub(super) struct Anthropic {
    about: About,
}

/// The hot event: one delta of a block.
#[derive(Serialize)]
struct BlockDelta<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    index: usize,
    delta: Delta<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
}

impl Anthropic {
    pub(super) fn new(about: About) -> Self {
        Self { about }
    }

    fn open(&self, out: &mut BytesMut) {
        let message = self.message(Vec::new(), Value::Null, usage_body(self.usage(), 1));
        named(out, "message_start", &json!({"type": "message_start", "message": message}));
        named(out, "ping", &json!({"type": "ping"}));
    }

    fn close(&self, out: &mut BytesMut, answer: &Answer) {
        let delta = json!({"stop_reason": stop_reason(&answer.finish()), "stop_sequence": null});
        let usage = json!({"output_tokens": self.usage().output});
        named(out, "message_delta", &json!({"type": "message_delta", "delta": delta, "usage": usage}));
        named(out, "message_stop", &json!({"type": "message_stop"}));
    }

    fn message(&self, content: Vec<Value>, stop_reason: Value, usage: Value) -> Value {
        json!({
            "id": format!("msg_{}", self.about.number),
            "type": "message",
            "role": "assistant",
            "model": self.about.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
            "usage": usage,
        })
    }

    fn usage(&self) -> Usage {
        self.about.usage.unwrap_or_default()
    }
}

impl Encode for Anthropic {
    fn piece(&mut self, piece: Piece<'_>, out: &mut BytesMut) {
        match piece {
            Piece::Open => self.open(out),
            Piece::BlockOpen { index, block } => {
                let start = json!({"type": "content_block_start", "index": index, "content_block": empty_block(block)});
                named(out, "content_block_start", &start);
            }
            Piece::Delta { index, block, delta } => block_delta(out, index, content_delta(block, delta)),
            Piece::BlockClose { index, block } => {
                if matches!(block, Block::Reasoning(_)) {
                    block_delta(out, index, Delta::Signature { signature: SIGNATURE });
                }
                named(out, "content_block_stop", &json!({"type": "content_block_stop", "index": index}));
            }
            Piece::Close { answer } => self.close(out, answer),
        }
    }

    fn failure(&mut self, error: &ModelError, out: &mut BytesMut) {
        named(out, "error", &error.body(Dialect::Anthropic));
    }

    fn whole(&self, answer: &Answer) -> Value {
        let content = answer.blocks.iter().map(full_block).collect();
        let usage = usage_body(self.usage(), self.usage().output);
        self.message(content, json!(stop_reason(&answer.finish())), usage)
    }
}

fn named(out: &mut BytesMut, name: &str, data: &impl Serialize) {
    sse::event(out, Some(name), data);
}

fn block_delta(out: &mut BytesMut, index: usize, delta: Delta<'_>) {
    named(out, "content_block_delta", &BlockDelta { kind: "content_block_delta", index, delta });
}

fn content_delta<'a>(block: &Block, delta: &'a str) -> Delta<'a> {
    match block {
        Block::Text(_) => Delta::Text { text: delta },
        Block::Reasoning(_) => Delta::Thinking { thinking: delta },
        Block::ToolCall(_) => Delta::InputJson { partial_json: delta },
    }
}

fn empty_block(block: &Block) -> Value {
    match block {
        Block::Text(_) => json!({"type": "text", "text": ""}),
        Block::Reasoning(_) => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Block::ToolCall(call) => json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}),
    }
}

fn full_block(block: &Block) -> Value {
    let whole = block.whole();
    match block {
        Block::Text(_) => json!({"type": "text", "text": whole}),
        Block::Reasoning(_) => json!({"type": "thinking", "thinking": whole, "signature": SIGNATURE}),
        Block::ToolCall(call) => {
            // `input` is a value, not text: arguments that are no JSON can only be sent as a string.
            let input: Value = serde_json::from_str(&whole).unwrap_or(Value::String(whole));
            json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
        }
    }
}

fn stop_reason(finish: &Finish) -> String {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ContentFilter => "refusal",
        Finish::ToolCalls => "tool_use",
        Finish::Other(word) => word,
    }
    .to_owned()
}

/// Here `input_tokens` counts only what was neither read from nor written to the cache.
fn usage_body(usage: Usage, output: u64) -> Value {
    json!({
        "input_tokens": usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_write),
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": usage.cache_write,
        "output_tokens": output,
    })
}
