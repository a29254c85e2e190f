//! What the API sends. One shape for all events: a stream is mostly deltas, and they are read in one pass.

use crate::refusal::Reason;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The events that are read.
const KNOWN: [&str; 8] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
    "error",
];

/// Whether an event that cannot be read ought to be: it is JSON no more, or of a kind that is known.
pub(super) fn is_known(name: &str, data: &str) -> bool {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(rename = "type", borrow, default)]
        kind: Cow<'a, str>,
    }
    serde_json::from_str::<Head<'_>>(data).map_or(true, |head| {
        let kind = if head.kind.is_empty() { name } else { head.kind.as_ref() };
        KNOWN.contains(&kind)
    })
}

/// An event of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    pub(super) index: Option<u64>,
    pub(super) delta: Option<Delta>,
    pub(super) content_block: Option<Content>,
    pub(super) message: Option<Message>,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<Reason>,
    pub(super) request_id: Option<String>,
}

/// More of a block, or of the message.
#[derive(Debug, Deserialize)]
pub(super) struct Delta {
    #[serde(rename = "type", default)]
    pub(super) kind: DeltaKind,
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) partial_json: Option<String>,
    pub(super) stop_reason: Option<String>,
}

/// Which kind of more, as far as its parts do not tell.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeltaKind {
    CitationsDelta,
    #[default]
    #[serde(other)]
    Other,
}

/// A block, empty at the beginning of one that is streamed.
#[derive(Debug, Deserialize)]
pub(super) struct Content {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) data: Option<String>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) input: Option<Box<RawValue>>,
}

/// A message: at the beginning of a stream, or a whole answer; or a report, where an answer was expected.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) model: Option<String>,
    pub(super) content: Option<Vec<Content>>,
    pub(super) stop_reason: Option<String>,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<Reason>,
    pub(super) request_id: Option<String>,
}

/// Counts of tokens.
#[derive(Debug, Deserialize)]
pub(super) struct Usage {
    pub(super) input_tokens: Option<u64>,
    pub(super) cache_read_input_tokens: Option<u64>,
    pub(super) cache_creation_input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) output_tokens_details: Option<OutputDetails>,
}

/// Of the output.
#[derive(Debug, Deserialize)]
pub(super) struct OutputDetails {
    pub(super) thinking_tokens: Option<u64>,
}
