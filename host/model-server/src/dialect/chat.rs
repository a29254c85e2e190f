//! OpenAI chat completions.

use bytes::BytesMut;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{About, CREATED, Dialect, Encode, Piece};
use crate::answer::{Answer, Block, Finish, Usage};
use crate::model_error::ModelError;
use crate::sse;

/// Writes one answer.
pub(super) struct Chat {
    about: About,
    id: String,
    /// Tool calls opened so far: their `index` counts calls, not blocks.
    calls: usize,
}

/// One `chat.completion.chunk`.
#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// With `include_usage` every chunk has the key, `null` but in the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    finish_reason: Option<&'a str>,
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Value>,
}

impl Chat {
    pub(super) fn new(about: About) -> Self {
        let id = format!("chatcmpl-{}", about.number);
        Self { about, id, calls: 0 }
    }

    fn delta(&self, out: &mut BytesMut, delta: Delta<'_>, finish_reason: Option<&str>) {
        let usage = self.about.usage_in_stream.then_some(Value::Null);
        self.chunk(out, &[Choice { index: 0, delta, finish_reason }], usage);
    }

    fn chunk(&self, out: &mut BytesMut, choices: &[Choice<'_>], usage: Option<Value>) {
        let object = "chat.completion.chunk";
        let chunk = Chunk { id: &self.id, object, created: CREATED, model: &self.about.model, choices, usage };
        sse::event(out, None, &chunk);
    }

    fn open_call(&mut self, out: &mut BytesMut, block: &Block) {
        if let Block::ToolCall(call) = block {
            let function = json!({"name": call.name, "arguments": ""});
            let entry = json!([{"index": self.calls, "id": call.id, "type": "function", "function": function}]);
            self.calls += 1;
            self.delta(out, Delta { tool_calls: Some(entry), ..Delta::default() }, None);
        }
    }

    fn block_delta(&self, out: &mut BytesMut, block: &Block, text: &str) {
        let delta = match block {
            Block::Text(_) => Delta { content: Some(text), ..Delta::default() },
            Block::Reasoning(_) => Delta { reasoning_content: Some(text), ..Delta::default() },
            Block::ToolCall(_) => {
                let entry = json!([{"index": self.calls.saturating_sub(1), "function": {"arguments": text}}]);
                Delta { tool_calls: Some(entry), ..Delta::default() }
            }
        };
        self.delta(out, delta, None);
    }

    fn close(&self, out: &mut BytesMut, answer: &Answer) {
        self.delta(out, Delta::default(), Some(&finish_reason(&answer.finish())));
        if let Some(usage) = self.about.usage.filter(|_| self.about.usage_in_stream) {
            self.chunk(out, &[], Some(usage_body(usage)));
        }
        sse::done(out);
    }
}

impl Encode for Chat {
    fn piece(&mut self, piece: Piece<'_>, out: &mut BytesMut) {
        match piece {
            Piece::Open => {
                self.delta(out, Delta { role: Some("assistant"), content: Some(""), ..Delta::default() }, None);
            }
            Piece::BlockOpen { block, .. } => self.open_call(out, block),
            Piece::Delta { block, delta, .. } => self.block_delta(out, block, delta),
            Piece::BlockClose { .. } => {}
            Piece::Close { answer } => self.close(out, answer),
        }
    }

    fn failure(&mut self, error: &ModelError, out: &mut BytesMut) {
        sse::event(out, None, &error.body(Dialect::ChatCompletions));
    }

    fn whole(&self, answer: &Answer) -> Value {
        let finish = finish_reason(&answer.finish());
        let choice = json!({"index": 0, "message": message(answer), "logprobs": null, "finish_reason": finish});
        let mut body = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": CREATED,
            "model": self.about.model,
            "choices": [choice],
        });
        if let (Some(usage), Some(body)) = (self.about.usage, body.as_object_mut()) {
            body.insert("usage".to_owned(), usage_body(usage));
        }
        body
    }
}

/// The assistant's message of an answer that is not streamed.
fn message(answer: &Answer) -> Value {
    let joined = |wanted: fn(&Block) -> bool| -> Option<String> {
        let parts: Vec<String> = answer.blocks.iter().filter(|block| wanted(block)).map(Block::whole).collect();
        (!parts.is_empty()).then(|| parts.concat())
    };
    let calls: Vec<Value> = answer.blocks.iter().filter_map(call).collect();
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    message.insert("content".to_owned(), json!(joined(|block| matches!(block, Block::Text(_)))));
    message.insert("refusal".to_owned(), Value::Null);
    if let Some(reasoning) = joined(|block| matches!(block, Block::Reasoning(_))) {
        message.insert("reasoning_content".to_owned(), json!(reasoning));
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), json!(calls));
    }
    Value::Object(message)
}

fn call(block: &Block) -> Option<Value> {
    let Block::ToolCall(call) = block else { return None };
    let function = json!({"name": call.name, "arguments": block.whole()});
    Some(json!({"id": call.id, "type": "function", "function": function}))
}

fn finish_reason(finish: &Finish) -> String {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ContentFilter => "content_filter",
        Finish::ToolCalls => "tool_calls",
        Finish::Other(word) => word,
    }
    .to_owned()
}

fn usage_body(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}
