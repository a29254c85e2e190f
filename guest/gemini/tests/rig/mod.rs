//! A dialect to ask, and answers to read.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, Dialect, Piece, Reader};
use llm_provider_core::offer::OfferedTool;
use llm_provider_core::sse::Decoder;
use llm_provider_gemini::{Answer, Gemini};
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::{Sampling, Setup, ToolChoice};
use llm_provider_guest::secrets::{Chunk, SecretInfo};
use llm_provider_guest::types::{
    Block, ImageBlock, ImageSource, Message, Role, TextBlock, ThinkingBlock, ToolCall, ToolResult,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

pub fn secrets() -> Vec<SecretInfo> {
    vec![SecretInfo { name: "key".into(), raw_length: 7, json_length: 8 }]
}

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
    Ask {
        model: "gemini-3-flash".into(),
        system: None,
        messages,
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        max_output_tokens: None,
        effort: None,
        sampling: Sampling::default(),
        stop_sequences: Vec::new(),
        output_schema: None,
        key: "k".into(),
    }
}

pub fn hi() -> Ask {
    ask(vec![user(vec![text("hi")])])
}

pub fn user(blocks: Vec<Block>) -> Message {
    Message { role: Role::User, blocks }
}

pub fn assistant(blocks: Vec<Block>) -> Message {
    Message { role: Role::Assistant, blocks }
}

pub fn text(text: &str) -> Block {
    Block::Text(TextBlock { text: text.into() })
}

pub fn thinking(text: &str, signature: Option<&str>) -> Block {
    Block::Thinking(ThinkingBlock { text: text.into(), signature: signature.map(str::to_owned) })
}

pub fn call(id: &str, arguments: &str) -> Block {
    Block::ToolCall(ToolCall { id: id.into(), name: "add".into(), arguments: arguments.into() })
}

pub fn result(id: &str, content: &str, is_error: bool) -> Block {
    Block::ToolResult(ToolResult { call_id: id.into(), content: content.into(), is_error })
}

pub fn image(source: ImageSource) -> Block {
    Block::Image(ImageBlock { media_type: "image/png".into(), source })
}

pub fn raw(json: &Value) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

pub fn tool(name: &str) -> OfferedTool {
    OfferedTool { name: name.into(), description: "Adds.".into(), parameters: raw(&json!({"type": "object"})) }
}

pub fn bytes(request: &Request) -> Vec<u8> {
    let bytes = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.clone(),
        Chunk::Secret(_) => panic!("a secret in the body"),
    };
    request.body.iter().flat_map(bytes).collect()
}

pub fn body_of(dialect: &Gemini, ask: &Ask) -> Value {
    serde_json::from_slice(&bytes(&dialect.request(ask).unwrap())).unwrap()
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

/// Reads a stream that comes in these chunks.
pub fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Piece>, Option<Failure>) {
    let (mut reader, mut decoder) = (Answer::default(), Decoder::default());
    let (mut events, mut out) = (Vec::new(), Vec::new());
    for chunk in chunks {
        decoder.push(chunk, &mut events).unwrap();
    }
    events.extend(decoder.finish().unwrap());
    for event in events {
        if let Err(failure) = reader.event(&event.name, &event.data, &mut out) {
            return (out, Some(failure));
        }
    }
    let end = reader.end(&mut out);
    (out, end.err())
}

/// The pieces of a stream that reads without failure.
pub fn pieces(stream: &str) -> Vec<Piece> {
    let (pieces, failure) = read([stream.as_bytes()]);
    assert!(failure.is_none(), "{failure:?}");
    pieces
}
