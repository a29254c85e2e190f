//! What the tests of this crate have in common.
#![allow(dead_code, unused_imports)] // each test uses a part of it
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)] // a panic here is a test that fails

use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, BlockKey, Dialect, Piece};
use llm_provider_core::turn::Kind;
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::Setup;
use llm_provider_guest::secrets::SecretInfo;
use llm_provider_guest::types::{FinishReason, Usage};
use llm_provider_openai::AnyApi;
pub(crate) use llmp_dialect_rig::{assistant, body, text, user, written};
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

/// The plainest question.
pub(crate) fn ask() -> Ask {
    Ask { key: "k-1".into(), ..llmp_dialect_rig::ask("m", vec![user(vec![text("hi")])]) }
}

pub(crate) fn headers(request: &Request) -> Vec<String> {
    request.headers.iter().map(|header| format!("{}: {}", header.name, written(&header.value))).collect()
}

/// Reads a stream in chunks of these sizes, the rest in one.
pub(crate) fn read(api: &AnyApi, stream: &[u8], sizes: &[usize]) -> (Vec<Piece>, Result<(), Failure>) {
    let (mut chunks, mut rest) = (Vec::new(), stream);
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (chunk, more) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = more;
    }
    let (pieces, failure) = llmp_dialect_rig::read(api.reader(&ask()), chunks);
    (pieces, failure.map_or(Ok(()), Err))
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
