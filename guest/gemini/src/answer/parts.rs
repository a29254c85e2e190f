//! Parts of an answer as blocks: adjacent texts grow one block, and a signature becomes a block of its own.

use super::wire::{Call, Part};
use crate::signature::Proof;
use llm_provider_core::completion::{BlockKey, Piece};
use llm_provider_core::turn::Kind;
use serde_json::value::RawValue;

/// The blocks so far.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The one that grows.
    open: Option<Open>,
    next: BlockKey,
    /// Whether there was a text or a call.
    said: bool,
    /// Whether there was a call.
    pub(super) called: bool,
    /// The signature of a text without a word before anything was said. It is told when something is: alone, it would
    /// look like an answer.
    held: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Open {
    Text(BlockKey),
    Thinking(BlockKey),
}

impl Blocks {
    /// Whether the model said anything to anybody but itself.
    pub(super) fn said(&self) -> bool {
        self.said
    }

    /// Takes a part.
    pub(super) fn part(&mut self, part: Part, out: &mut Vec<Piece>) {
        if part.is_other() {
            out.push(Piece::Unknown);
            return;
        }
        let signature = part.thought_signature.filter(|signature| !signature.is_empty());
        let text = part.text.unwrap_or_default();
        match part.function_call {
            Some(call) => self.call(call, signature.as_deref(), out),
            None if part.thought == Some(true) => self.thought(text, signature.as_deref(), out),
            None => self.text(text, signature, out),
        }
    }

    /// The block that grows is complete.
    pub(super) fn close(&mut self, proof: Option<Proof<'_>>, out: &mut Vec<Piece>) {
        if let Some(Open::Text(key) | Open::Thinking(key)) = self.open.take() {
            out.push(Piece::Close(key, proof.map(Proof::write)));
        }
    }

    /// A call comes whole. One without arguments has an empty object.
    fn call(&mut self, call: Call, signature: Option<&str>, out: &mut Vec<Piece>) {
        self.speak(signature.map(Proof::Call), out);
        self.called = true;
        let (id, name) = (call.id.unwrap_or_default(), call.name.unwrap_or_default());
        let key = self.open(Kind::ToolCall { id, name }, out);
        let arguments = call.args.as_deref().map_or("{}", RawValue::get);
        out.push(Piece::Delta(key, if arguments == "null" { "{}" } else { arguments }.to_owned()));
        out.push(Piece::Close(key, None));
    }

    fn thought(&mut self, text: String, signature: Option<&str>, out: &mut Vec<Piece>) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        let key = match self.open {
            Some(Open::Thinking(key)) => key,
            _ => {
                self.close(None, out);
                let key = self.open(Kind::Thinking, out);
                self.open = Some(Open::Thinking(key));
                key
            }
        };
        push(key, text, out);
        if signature.is_some() {
            self.close(signature.map(Proof::Thought), out);
        }
    }

    /// A signed text stands alone: its signature is for it and not for what comes before or after it.
    fn text(&mut self, text: String, signature: Option<String>, out: &mut Vec<Piece>) {
        match (text.is_empty(), signature) {
            (true, None) => {}
            (true, Some(signature)) if self.said => {
                self.close(None, out);
                self.sign(Proof::Empty(&signature), out);
            }
            (true, signature) => self.held = signature,
            (false, Some(signature)) => {
                self.speak(Some(Proof::Text(&signature)), out);
                let key = self.open(Kind::Text, out);
                push(key, text, out);
                out.push(Piece::Close(key, None));
            }
            (false, None) => {
                let key = match self.open {
                    Some(Open::Text(key)) => key,
                    _ => {
                        self.speak(None, out);
                        let key = self.open(Kind::Text, out);
                        self.open = Some(Open::Text(key));
                        key
                    }
                };
                push(key, text, out);
            }
        }
    }

    /// A text or a call begins.
    fn speak(&mut self, proof: Option<Proof<'_>>, out: &mut Vec<Piece>) {
        self.close(None, out);
        self.said = true;
        if let Some(signature) = self.held.take() {
            self.sign(Proof::Empty(&signature), out);
        }
        if let Some(proof) = proof {
            self.sign(proof, out);
        }
    }

    fn sign(&mut self, proof: Proof<'_>, out: &mut Vec<Piece>) {
        let key = self.open(Kind::Thinking, out);
        out.push(Piece::Close(key, Some(proof.write())));
    }

    fn open(&mut self, kind: Kind, out: &mut Vec<Piece>) -> BlockKey {
        let key = self.next;
        self.next = key.saturating_add(1);
        out.push(Piece::Open(key, kind));
        key
    }
}

fn push(key: BlockKey, text: String, out: &mut Vec<Piece>) {
    if !text.is_empty() {
        out.push(Piece::Delta(key, text));
    }
}
