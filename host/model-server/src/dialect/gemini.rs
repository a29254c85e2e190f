//! Gemini generateContent and streamGenerateContent.
//!
//! Each event is a response of its own with a part of the answer in it: nothing opens a stream, and what ends it is an
//! event with a reason to stop. A call comes whole. Thoughts are signed on what follows them: a call, or else a part
//! without a word.

use std::borrow::Cow;

use bytes::BytesMut;
use serde::Serialize;
use serde_json::Value;

use super::{About, Dialect, Encode, Piece, SIGNATURE};
use crate::answer::{Answer, Block, Finish, Usage};
use crate::model_error::ModelError;
use crate::sse;

/// Writes one answer.
pub(super) struct Gemini {
    about: About,
    id: String,
    /// The model has thought, and nothing was signed since.
    unsigned: bool,
}

/// A response, or an event of a stream.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    candidates: [Candidate<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Counts>,
    model_version: &'a str,
    response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
    index: u32,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: &'a [Part<'a>],
    role: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'static str>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    name: &'a str,
    args: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    prompt_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates_token_count: Option<u64>,
    total_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
}

impl Gemini {
    pub(super) fn new(about: About) -> Self {
        let id = format!("resp_{}", about.number);
        Self { about, id, unsigned: false }
    }

    fn response<'a>(&'a self, parts: &'a [Part<'a>], finish_reason: Option<&'a str>) -> Response<'a> {
        let counts = if finish_reason.is_some() { Counts::all } else { Counts::so_far };
        Response {
            candidates: [Candidate { content: Content { parts, role: "model" }, finish_reason, index: 0 }],
            usage_metadata: self.about.usage.map(counts),
            model_version: &self.about.model,
            response_id: &self.id,
        }
    }

    fn event(&self, out: &mut BytesMut, part: Part<'_>, finish_reason: Option<&str>) {
        sse::data_crlf(out, &self.response(&[part], finish_reason));
    }

    /// A block begins: the thoughts before a text end with their signature.
    fn block_open(&mut self, out: &mut BytesMut, block: &Block) {
        match block {
            Block::Reasoning(_) => self.unsigned = true,
            Block::Text(_) if std::mem::take(&mut self.unsigned) => self.event(out, Part::thought("").signed(), None),
            Block::Text(_) | Block::ToolCall(_) => {}
        }
    }

    fn block_close(&mut self, out: &mut BytesMut, block: &Block) {
        if let Some(call) = Part::call(block) {
            let signed = std::mem::take(&mut self.unsigned);
            self.event(out, if signed { call.signed() } else { call }, None);
        }
    }
}

impl Encode for Gemini {
    fn piece(&mut self, piece: Piece<'_>, out: &mut BytesMut) {
        match piece {
            Piece::Open => {}
            Piece::BlockOpen { block, .. } => self.block_open(out, block),
            Piece::Delta { block: Block::Text(_), delta, .. } => self.event(out, Part::text(delta), None),
            Piece::Delta { block: Block::Reasoning(_), delta, .. } => self.event(out, Part::thought(delta), None),
            Piece::Delta { block: Block::ToolCall(_), .. } => {}
            Piece::BlockClose { block, .. } => self.block_close(out, block),
            Piece::Close { answer } => {
                let last = if self.unsigned { Part::text("").signed() } else { Part::text("") };
                self.event(out, last, Some(finish_reason(&answer.finish())));
            }
        }
    }

    fn failure(&mut self, error: &ModelError, out: &mut BytesMut) {
        sse::data_crlf(out, &error.body(Dialect::Gemini));
    }

    fn whole(&self, answer: &Answer) -> Value {
        let (parts, finish) = (parts(answer), answer.finish());
        // Every key is a string, and every number finite: nothing that JSON could not say.
        serde_json::to_value(self.response(&parts, Some(finish_reason(&finish)))).unwrap_or_default()
    }
}

impl<'a> Part<'a> {
    fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    fn thought(text: impl Into<Cow<'a, str>>) -> Self {
        Self { thought: true, ..Self::text(text) }
    }

    fn call(block: &'a Block) -> Option<Self> {
        let Block::ToolCall(call) = block else { return None };
        let whole = block.whole();
        // `args` is a value, not text: arguments that are no JSON can only be sent as a string.
        let args = serde_json::from_str(&whole).unwrap_or(Value::String(whole));
        let function_call = Some(Call { id: &call.id, name: &call.name, args });
        Some(Self { function_call, ..Self::default() })
    }

    fn signed(self) -> Self {
        Self { thought_signature: Some(SIGNATURE), ..self }
    }
}

/// The parts of an answer that is not streamed, signed in the same places.
fn parts(answer: &Answer) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let mut unsigned = false;
    for block in &answer.blocks {
        match block {
            Block::Reasoning(_) => {
                unsigned = true;
                parts.push(Part::thought(block.whole()));
            }
            Block::Text(_) => {
                if let Some(thought) = parts.last_mut().filter(|_| std::mem::take(&mut unsigned)) {
                    thought.thought_signature = Some(SIGNATURE);
                }
                parts.push(Part::text(block.whole()));
            }
            Block::ToolCall(_) => parts.extend(Part::call(block).map(|call| {
                let signed = std::mem::take(&mut unsigned);
                if signed { call.signed() } else { call }
            })),
        }
    }
    parts.extend(unsigned.then(|| Part::text("").signed()));
    parts
}

/// There is no word for calls: an answer with calls ends like any other.
fn finish_reason(finish: &Finish) -> &str {
    match finish {
        Finish::Stop | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
        Finish::Other(word) => word,
    }
}

impl Counts {
    /// What is known while the answer comes.
    fn so_far(usage: Usage) -> Self {
        Self {
            prompt_token_count: usage.input,
            candidates_token_count: None,
            total_token_count: usage.input,
            cached_content_token_count: (usage.cached > 0).then_some(usage.cached),
            thoughts_token_count: None,
        }
    }

    /// Thoughts are counted beside the answer here, not within it.
    fn all(usage: Usage) -> Self {
        Self {
            candidates_token_count: Some(usage.output.saturating_sub(usage.reasoning)),
            total_token_count: usage.input.saturating_add(usage.output),
            thoughts_token_count: (usage.reasoning > 0).then_some(usage.reasoning),
            ..Self::so_far(usage)
        }
    }
}
