//! What the tests of this crate have in common.
#![allow(dead_code)] // each test uses a part of it
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)] // a panic here is a test that fails

use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, BlockKey, Dialect, Piece, Reader};
use llm_provider_core::sse::Decoder;
use llm_provider_core::turn::Kind;
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::{Sampling, Setup, ToolChoice};
use llm_provider_guest::secrets::{Chunk, SecretInfo};
use llm_provider_guest::types::{Block, FinishReason, Message, Role, TextBlock, Usage};
use llm_provider_openai::AnyApi;
use serde_json::Value;

/// The dialect with a configuration; the secrets `key` and `other` are granted.
pub(crate) fn dialect(config: &str) -> Result<AnyApi, Failure> {
    let secret = |name: &str| SecretInfo { name: name.into(), raw_length: 6, json_length: 6 };
    AnyApi::configure(&Setup { config: config.into(), secrets: vec![secret("key"), secret("other")], seed: 1 })
}

pub(crate) fn chat() -> AnyApi {
    dialect(r#"{"base-url":"https://a.example/v1"}"#).unwrap()
}

pub(crate) fn responses() -> AnyApi {
    dialect(r#"{"base-url":"https://a.example/v1","api":"responses"}"#).unwrap()
}

pub(crate) fn text(text: &str) -> Block {
    Block::Text(TextBlock { text: text.into() })
}

pub(crate) fn user(blocks: Vec<Block>) -> Message {
    Message { role: Role::User, blocks }
}

pub(crate) fn assistant(blocks: Vec<Block>) -> Message {
    Message { role: Role::Assistant, blocks }
}

/// The plainest question.
pub(crate) fn ask() -> Ask {
    Ask {
        model: "m".into(),
        system: None,
        messages: vec![user(vec![text("hi")])],
        tools: vec![],
        tool_choice: ToolChoice::Auto,
        max_output_tokens: None,
        effort: None,
        sampling: Sampling::default(),
        stop_sequences: vec![],
        output_schema: None,
        key: "k-1".into(),
    }
}

pub(crate) fn joined(chunks: &[Chunk]) -> String {
    chunks
        .iter()
        .map(|chunk| match chunk {
            Chunk::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            Chunk::Secret(secret) => format!("<{}>", secret.name),
        })
        .collect()
}

pub(crate) fn body(request: &Request) -> Value {
    serde_json::from_str(&joined(&request.body)).unwrap()
}

pub(crate) fn headers(request: &Request) -> Vec<String> {
    request.headers.iter().map(|header| format!("{}: {}", header.name, joined(&header.value))).collect()
}

/// Reads a stream in chunks of these sizes, the rest in one.
pub(crate) fn read(api: &AnyApi, stream: &[u8], sizes: &[usize]) -> (Vec<Piece>, Result<(), Failure>) {
    let mut reader = api.reader(&ask());
    let mut decoder = Decoder::default();
    let (mut pieces, mut events, mut rest) = (Vec::new(), Vec::new(), stream);
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (chunk, more) = rest.split_at(size.min(rest.len()));
        decoder.push(chunk, &mut events).unwrap();
        rest = more;
    }
    events.extend(decoder.finish().unwrap());
    for event in events {
        if let Err(failure) = reader.event(&event.name, &event.data, &mut pieces) {
            return (pieces, Err(failure));
        }
    }
    let end = reader.end(&mut pieces);
    (pieces, end)
}

/// A stream of unnamed events.
pub(crate) fn stream(events: &[&str]) -> Vec<u8> {
    events.iter().map(|data| format!("data: {data}\n\n")).collect::<String>().into_bytes()
}

/// A stream of events that are named by their type.
pub(crate) fn named(events: &[&str]) -> Vec<u8> {
    let name = |data: &str| serde_json::from_str::<Value>(data).unwrap()["type"].as_str().unwrap().to_owned();
    events.iter().map(|data| format!("event: {}\ndata: {data}\n\n", name(data))).collect::<String>().into_bytes()
}

/// An answer put together from its pieces.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// Each block as `kind text`, with its signature.
    pub(crate) blocks: Vec<(String, Option<String>)>,
    pub(crate) model: Option<String>,
    pub(crate) usage: Option<Usage>,
    pub(crate) stopped: Option<FinishReason>,
    pub(crate) unknown: usize,
}

/// Puts an answer together, and checks that pieces come in an order that makes sense.
pub(crate) fn answer(pieces: &[Piece]) -> Answer {
    let mut answer = Answer::default();
    let mut keys: Vec<(BlockKey, bool)> = Vec::new();
    let at = |keys: &[(BlockKey, bool)], key: BlockKey| {
        let at = keys.iter().position(|(known, _)| *known == key).expect("a block that has begun");
        assert!(keys[at].1, "the block {key} is open");
        at
    };
    for piece in pieces {
        match piece {
            Piece::Model(model) => assert!(answer.model.replace(model.clone()).is_none(), "one model"),
            Piece::Name(name) => assert!(name.is_empty(), "the header names it, not the answer: {name}"),
            Piece::Open(key, kind) => {
                assert!(keys.iter().all(|(known, _)| known != key), "a block begins once");
                keys.push((*key, true));
                let head = match kind {
                    Kind::Text => "text ".to_owned(),
                    Kind::Thinking => "thinking ".to_owned(),
                    Kind::ToolCall { id, name } => format!("call {id} {name} "),
                };
                answer.blocks.push((head, None));
            }
            Piece::Delta(key, text) => {
                let at = at(&keys, *key);
                assert!(!text.is_empty());
                answer.blocks[at].0.push_str(text);
            }
            Piece::Close(key, signature) => {
                let at = at(&keys, *key);
                keys[at].1 = false;
                answer.blocks[at].1.clone_from(signature);
            }
            Piece::Usage(usage) => answer.usage = Some(*usage),
            Piece::Stopped(reason) => answer.stopped = Some(reason.clone()),
            Piece::Unknown => answer.unknown += 1,
        }
    }
    answer
}

/// The blocks of a stream that reads without failure, and why it stopped.
pub(crate) fn good(api: &AnyApi, bytes: &[u8]) -> (Vec<String>, FinishReason) {
    let (pieces, end) = read(api, bytes, &[]);
    end.unwrap();
    let answer = answer(&pieces);
    (answer.blocks.into_iter().map(|(block, _)| block).collect(), answer.stopped.expect("it stopped"))
}
