//! A block while it grows.

use super::wire::{Content, Delta, DeltaKind};
use crate::signature::Proof;
use llm_provider_core::completion::{BlockKey, Piece};
use llm_provider_core::turn::Kind;
use serde_json::value::RawValue;

#[derive(Debug)]
pub(super) struct OpenBlock {
    key: BlockKey,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Text,
    Thinking {
        signature: String,
    },
    Redacted {
        data: String,
    },
    Call {
        /// Arguments that came with the beginning: for services that do not stream them.
        whole: Option<Box<RawValue>>,
        streamed: bool,
    },
    /// A block of a kind that is not known, such as those of the provider's own tools. It is not told.
    Unknown,
}

impl OpenBlock {
    /// Begins a block, with what it holds already.
    pub(super) fn open(key: BlockKey, content: Content, out: &mut Vec<Piece>) -> Self {
        let (shape, kind, text) = match content.kind.as_str() {
            "text" => (Shape::Text, Kind::Text, content.text),
            "thinking" => {
                let signature = content.signature.unwrap_or_default();
                (Shape::Thinking { signature }, Kind::Thinking, content.thinking)
            }
            "redacted_thinking" => (Shape::Redacted { data: content.data.unwrap_or_default() }, Kind::Thinking, None),
            "tool_use" => {
                let (id, name) = (content.id.unwrap_or_default(), content.name.unwrap_or_default());
                (Shape::Call { whole: content.input, streamed: false }, Kind::ToolCall { id, name }, None)
            }
            _ => {
                out.push(Piece::Unknown);
                return Self { key, shape: Shape::Unknown };
            }
        };
        out.push(Piece::Open(key, kind));
        push(key, text, out);
        Self { key, shape }
    }

    /// Takes more of it. Citations are ignored.
    pub(super) fn delta(&mut self, delta: Delta, out: &mut Vec<Piece>) {
        let known = match &mut self.shape {
            Shape::Text => push(self.key, delta.text, out) || delta.kind == DeltaKind::CitationsDelta,
            Shape::Thinking { signature } => {
                signature.push_str(delta.signature.as_deref().unwrap_or_default());
                push(self.key, delta.thinking, out) || delta.signature.is_some()
            }
            Shape::Call { streamed, .. } => {
                *streamed |= delta.partial_json.as_deref().is_some_and(|json| !json.is_empty());
                push(self.key, delta.partial_json, out)
            }
            Shape::Redacted { .. } => false,
            Shape::Unknown => true,
        };
        if !known {
            out.push(Piece::Unknown);
        }
    }

    /// It is complete.
    pub(super) fn close(self, out: &mut Vec<Piece>) {
        let proof = match self.shape {
            Shape::Unknown => return,
            Shape::Text => None,
            Shape::Thinking { signature } => Proof::Signed(&signature).write(),
            Shape::Redacted { data } => Proof::Redacted(&data).write(),
            Shape::Call { whole, streamed } => {
                if !streamed {
                    push(self.key, Some(arguments(whole.as_deref())), out);
                }
                None
            }
        };
        out.push(Piece::Close(self.key, proof));
    }
}

/// Tells more of a block, if there is more. Gives whether it was there.
fn push(key: BlockKey, text: Option<String>, out: &mut Vec<Piece>) -> bool {
    let known = text.is_some();
    out.extend(text.filter(|text| !text.is_empty()).map(|text| Piece::Delta(key, text)));
    known
}

/// Arguments that were not streamed: a call without any has none to stream. Arguments that are no JSON can only come as
/// a string, as this project's own server sends them.
fn arguments(whole: Option<&RawValue>) -> String {
    let json = whole.map_or("{}", RawValue::get);
    match json {
        "null" => "{}".to_owned(),
        _ => serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned()),
    }
}
