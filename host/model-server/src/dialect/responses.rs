//! OpenAI Responses.

use bytes::BytesMut;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{About, CREATED, Encode, Piece, SIGNATURE};
use crate::answer::{Answer, Block, Finish, Usage};
use crate::model_error::ModelError;
use crate::sse;

/// Writes one answer.
pub(super) struct Responses {
    about: About,
    /// `sequence_number` of the next event.
    sequence: u64,
}

/// The hot event: one delta of an item. Which of the two index keys is there depends on the item's kind.
#[derive(Serialize)]
struct ItemDelta<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    item_id: String,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<u32>,
    delta: &'a str,
}

impl Responses {
    pub(super) fn new(about: About) -> Self {
        Self { about, sequence: 0 }
    }

    /// Writes one event: `data` with its `type` and `sequence_number`.
    fn emit(&mut self, out: &mut BytesMut, kind: &str, data: Value) {
        let mut event = Map::new();
        event.insert("type".to_owned(), json!(kind));
        event.insert("sequence_number".to_owned(), json!(self.next()));
        if let Value::Object(data) = data {
            event.extend(data);
        }
        sse::event(out, Some(kind), &event);
    }

    fn next(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence = sequence.saturating_add(1);
        sequence
    }

    fn open(&mut self, out: &mut BytesMut) {
        let response = self.response("in_progress", Vec::new(), &[]);
        self.emit(out, "response.created", json!({"response": response.clone()}));
        self.emit(out, "response.in_progress", json!({"response": response}));
    }

    fn block_open(&mut self, out: &mut BytesMut, index: usize, block: &Block) {
        let item = self.item(index, block, false);
        self.emit(out, "response.output_item.added", json!({"output_index": index, "item": item}));
        let id = self.item_id(index, block);
        match block {
            Block::Text(_) => self.emit(
                out,
                "response.content_part.added",
                json!({"item_id": id, "output_index": index, "content_index": 0, "part": text_part("")}),
            ),
            Block::Reasoning(_) => self.emit(
                out,
                "response.reasoning_summary_part.added",
                json!({"item_id": id, "output_index": index, "summary_index": 0, "part": summary_part("")}),
            ),
            Block::ToolCall(_) => {}
        }
    }

    fn delta(&mut self, out: &mut BytesMut, index: usize, block: &Block, delta: &str) {
        let (kind, content_index, summary_index) = match block {
            Block::Text(_) => ("response.output_text.delta", Some(0), None),
            Block::Reasoning(_) => ("response.reasoning_summary_text.delta", None, Some(0)),
            Block::ToolCall(_) => ("response.function_call_arguments.delta", None, None),
        };
        let (sequence_number, item_id) = (self.next(), self.item_id(index, block));
        let data =
            ItemDelta { kind, sequence_number, item_id, output_index: index, content_index, summary_index, delta };
        sse::event(out, Some(kind), &data);
    }

    fn block_close(&mut self, out: &mut BytesMut, index: usize, block: &Block) {
        let (id, whole) = (self.item_id(index, block), block.whole());
        match block {
            Block::Text(_) => {
                let place = json!({"item_id": id, "output_index": index, "content_index": 0});
                self.emit(out, "response.output_text.done", with(&place, "text", json!(whole)));
                self.emit(out, "response.content_part.done", with(&place, "part", text_part(&whole)));
            }
            Block::Reasoning(_) => {
                let place = json!({"item_id": id, "output_index": index, "summary_index": 0});
                self.emit(out, "response.reasoning_summary_text.done", with(&place, "text", json!(whole)));
                self.emit(out, "response.reasoning_summary_part.done", with(&place, "part", summary_part(&whole)));
            }
            Block::ToolCall(call) => {
                let done = json!({"item_id": id, "output_index": index, "name": call.name, "arguments": whole});
                self.emit(out, "response.function_call_arguments.done", done);
            }
        }
        let item = self.item(index, block, true);
        self.emit(out, "response.output_item.done", json!({"output_index": index, "item": item}));
    }

    fn close(&mut self, out: &mut BytesMut, answer: &Answer) {
        let response = self.whole(answer);
        let kind = match answer.finish() {
            Finish::Length | Finish::ContentFilter => "response.incomplete",
            Finish::Stop | Finish::ToolCalls | Finish::Other(_) => "response.completed",
        };
        self.emit(out, kind, json!({"response": response}));
    }

    /// An item of `output`: without content when it opens, complete when it is done.
    fn item(&self, index: usize, block: &Block, done: bool) -> Value {
        let status = if done { "completed" } else { "in_progress" };
        let whole = if done { block.whole() } else { String::new() };
        let id = self.item_id(index, block);
        match block {
            Block::Text(_) => {
                let content: Vec<Value> = done.then(|| text_part(&whole)).into_iter().collect();
                json!({"id": id, "type": "message", "role": "assistant", "status": status, "content": content})
            }
            Block::Reasoning(_) => {
                let summary: Vec<Value> = done.then(|| summary_part(&whole)).into_iter().collect();
                json!({"id": id, "type": "reasoning", "summary": summary, "encrypted_content": done.then_some(SIGNATURE)})
            }
            Block::ToolCall(call) => json!({
                "id": id, "type": "function_call", "status": status,
                "call_id": call.id, "name": call.name, "arguments": whole,
            }),
        }
    }

    fn item_id(&self, index: usize, block: &Block) -> String {
        let prefix = match block {
            Block::Text(_) => "msg",
            Block::Reasoning(_) => "rs",
            Block::ToolCall(_) => "fc",
        };
        format!("{prefix}_{}_{index}", self.about.number)
    }

    /// The `response` object; `changes` replace its keys.
    fn response(&self, status: &str, output: Vec<Value>, changes: &[(&str, Value)]) -> Value {
        let mut response = json!({
            "id": format!("resp_{}", self.about.number),
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "metadata": {},
            "model": self.about.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "store": false,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": null,
        });
        if let Some(response) = response.as_object_mut() {
            response.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        }
        response
    }
}

impl Encode for Responses {
    fn piece(&mut self, piece: Piece<'_>, out: &mut BytesMut) {
        match piece {
            Piece::Open => self.open(out),
            Piece::BlockOpen { index, block } => self.block_open(out, index, block),
            Piece::Delta { index, block, delta } => self.delta(out, index, block, delta),
            Piece::BlockClose { index, block } => self.block_close(out, index, block),
            Piece::Close { answer } => self.close(out, answer),
        }
    }

    fn failure(&mut self, error: &ModelError, out: &mut BytesMut) {
        let response = self.response("failed", Vec::new(), &[("error", error.response_error())]);
        self.emit(out, "response.failed", json!({"response": response}));
    }

    fn whole(&self, answer: &Answer) -> Value {
        let output = answer.blocks.iter().enumerate().map(|(index, block)| self.item(index, block, true)).collect();
        let (status, incomplete) = match answer.finish() {
            Finish::Length => ("incomplete".to_owned(), json!({"reason": "max_output_tokens"})),
            Finish::ContentFilter => ("incomplete".to_owned(), json!({"reason": "content_filter"})),
            Finish::Stop | Finish::ToolCalls => ("completed".to_owned(), Value::Null),
            Finish::Other(word) => (word, Value::Null),
        };
        let usage = self.about.usage.map_or(Value::Null, usage_body);
        self.response(&status, output, &[("incomplete_details", incomplete), ("usage", usage)])
    }
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

fn with(place: &Value, key: &str, value: Value) -> Value {
    let mut data = place.clone();
    if let Some(data) = data.as_object_mut() {
        data.insert(key.to_owned(), value);
    }
    data
}

fn usage_body(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}
