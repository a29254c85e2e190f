//! A dialect to ask, and answers to read.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use llm_provider_anthropic::{Answer, Config, Messages};
use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, Dialect, Piece, Reader};
use llm_provider_core::offer::OfferedTool;
use llm_provider_core::sse::Decoder;
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::{Sampling, ToolChoice};
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
pub fn dialect(more: Value) -> Messages {
    let mut config = json!({"base-url": "https://api.example", "prompt-cache": "off"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Messages::new(Config::parse(&config.to_string(), &secrets()).unwrap())
}

pub fn ask(messages: Vec<Message>) -> Ask {
    Ask {
        model: "claude".into(),
        system: None,
        messages,
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        max_output_tokens: Some(100),
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
    Block::Thinking(ThinkingBlock { text: text.into(), signature: signature.map(Into::into) })
}

pub fn image(source: ImageSource) -> Block {
    Block::Image(ImageBlock { media_type: "image/png".into(), source })
}

pub fn call(id: &str, arguments: &str) -> Block {
    Block::ToolCall(ToolCall { id: id.into(), name: "add".into(), arguments: arguments.into() })
}

pub fn result(id: &str, content: &str, is_error: bool) -> Block {
    Block::ToolResult(ToolResult { call_id: id.into(), content: content.into(), is_error })
}

pub fn tool(name: &str) -> OfferedTool {
    let parameters = RawValue::from_string(r#"{"type":"object"}"#.into()).unwrap();
    OfferedTool { name: name.into(), description: "Adds.".into(), parameters }
}

pub fn raw(json: &Value) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

/// The bytes of a request's body.
pub fn bytes(request: &Request) -> Vec<u8> {
    let literal = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.clone(),
        Chunk::Secret(secret) => panic!("the secret {} in a body", secret.name),
    };
    request.body.iter().flat_map(literal).collect()
}

pub fn body_of(dialect: &Messages, ask: &Ask) -> Value {
    serde_json::from_slice(&bytes(&dialect.request(ask).unwrap())).unwrap()
}

/// What is sent for this, as configured by default but without the cache.
pub fn body(ask: &Ask) -> Value {
    body_of(&dialect(json!({})), ask)
}

pub fn refused(dialect: &Messages, ask: &Ask) -> Failure {
    dialect.request(ask).expect_err("this cannot be said")
}

/// What an answer in these pieces gives. Texts that came in several pieces are not joined.
pub fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Piece>, Option<Failure>) {
    let (mut decoder, mut reader, mut out) = (Decoder::default(), Answer::default(), Vec::new());
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, &mut events).unwrap();
        for event in events.drain(..) {
            if let Err(failure) = reader.event(&event.name, &event.data, &mut out) {
                return (out, Some(failure));
            }
        }
    }
    let last = decoder.finish().unwrap();
    let ended = last.map_or(Ok(()), |event| reader.event(&event.name, &event.data, &mut out));
    let ended = ended.and_then(|()| reader.end(&mut out));
    (out, ended.err())
}

/// The pieces of an answer that is complete, and the same whether it comes whole or byte by byte.
pub fn pieces(stream: &str) -> Vec<Piece> {
    let (pieces, failure) = read([stream.as_bytes()]);
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(read(stream.as_bytes().chunks(1)).0, pieces);
    pieces
}

/// A stream of these events, each named by its type.
pub fn stream(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}
