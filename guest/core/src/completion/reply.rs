//! One answer while it comes in: from bytes to events of the turn.

use super::dialect::Reader;
use super::piece::{BlockKey, Piece};
use crate::classify::{Failure, Fault};
use crate::sse;
use crate::turn::{Kind, Turn};
use llm_provider_guest::effects::EventEffect;
use llm_provider_guest::events::BlockIndex;
use llm_provider_guest::types::{FinishReason, Usage};
use std::collections::{BTreeMap, BTreeSet};

/// The most bytes of an answer that is not streamed: as many as one that comes in a single event.
const WHOLE_LIMIT: usize = sse::EVENT_LIMIT;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply<R> {
    body: Body,
    reader: R,
    /// Where the reader's blocks stand in the turn.
    blocks: BTreeMap<BlockKey, BlockIndex>,
    /// The service's name for the answer, as far as it was told.
    pub(super) name: Option<String>,
    /// What this model call cost, as far as it was told.
    pub(super) usage: Option<Usage>,
    stopped: Option<FinishReason>,
    /// How many events the reader did not know.
    pub(super) unknown: u32,
}

/// How the answer comes.
#[derive(Debug)]
enum Body {
    Stream(sse::Decoder),
    Whole(Vec<u8>),
}

impl<R: Reader> Reply<R> {
    /// An answer that begins.
    pub(super) fn new(reader: R, streamed: bool) -> Self {
        let body = if streamed { Body::Stream(sse::Decoder::default()) } else { Body::Whole(Vec::new()) };
        Self { body, reader, blocks: BTreeMap::new(), name: None, usage: None, stopped: None, unknown: 0 }
    }

    /// Takes more of the body.
    pub(super) fn push<E: From<EventEffect>>(&mut self, bytes: &[u8], to: &mut Told<'_, E>) -> Result<(), Failure> {
        let mut events = Vec::new();
        let read = match &mut self.body {
            Body::Whole(body) if body.len().saturating_add(bytes.len()) > WHOLE_LIMIT => Err(too_large()),
            Body::Whole(body) => {
                body.extend_from_slice(bytes);
                Ok(())
            }
            Body::Stream(decoder) => decoder.push(bytes, &mut events).map_err(|_| too_large()),
        };
        // What came before an event that is too large is told however the bytes were cut.
        events.iter().try_for_each(|event| self.event(event, to))?;
        read
    }

    /// Whether the model has said why it stopped.
    pub(super) fn has_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Nothing more comes. Gives why the model stopped.
    pub(super) fn end<E: From<EventEffect>>(
        &mut self,
        ending: Ending,
        to: &mut Told<'_, E>,
    ) -> Result<FinishReason, Failure> {
        let body = std::mem::replace(&mut self.body, Body::Whole(Vec::new()));
        let mut pieces = Vec::new();
        let done = match body {
            Body::Stream(decoder) => {
                if let Some(last) = decoder.finish().map_err(|_| too_large())? {
                    let read = self.event(&last, to);
                    // Half an event says nothing against an answer that was complete before it.
                    if ending == Ending::Told {
                        read?;
                    }
                }
                match ending {
                    Ending::Told => self.reader.end(&mut pieces),
                    Ending::Cut => self.reader.cut(&mut pieces),
                }
            }
            Body::Whole(body) => {
                let whole = self.reader.whole(&String::from_utf8_lossy(&body), &mut pieces);
                whole.and_then(|()| self.reader.end(&mut pieces))
            }
        };
        self.tell(pieces, to);
        done?;
        self.stopped.take().ok_or_else(|| {
            Failure::of(Fault::Transport, "the answer ended before the model had said that it is complete")
        })
    }

    fn event<E: From<EventEffect>>(&mut self, event: &sse::Event, to: &mut Told<'_, E>) -> Result<(), Failure> {
        let mut pieces = Vec::new();
        let done = self.reader.event(&event.name, &event.data, &mut pieces);
        self.tell(pieces, to);
        done
    }

    fn tell<E: From<EventEffect>>(&mut self, pieces: Vec<Piece>, to: &mut Told<'_, E>) {
        for piece in pieces {
            match piece {
                Piece::Model(model) => to.turn.set_model(model),
                Piece::Name(name) => self.name = Some(name),
                Piece::Open(key, kind) => {
                    let index = to.turn.open(to.names.unique(kind), to.out);
                    self.blocks.insert(key, index);
                }
                Piece::Delta(key, text) => {
                    if let Some(index) = self.blocks.get(&key) {
                        to.turn.delta(*index, text, to.out);
                    }
                }
                Piece::Close(key, signature) => {
                    if let Some(index) = self.blocks.get(&key) {
                        to.turn.close(*index, signature, to.out);
                    }
                }
                Piece::Usage(usage) => self.usage = Some(usage),
                Piece::Stopped(reason) => self.stopped = Some(reason),
                Piece::Unknown => self.unknown = self.unknown.saturating_add(1),
            }
        }
    }
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By its own end.
    Told,
    /// Anywhere: the connection broke or was given up.
    Cut,
}

/// Where an answer is told.
pub(super) struct Told<'a, E> {
    pub(super) turn: &'a mut Turn,
    pub(super) names: &'a mut CallNames,
    pub(super) out: &'a mut Vec<E>,
}

/// The names of calls that were given in a conversation. A call runs at most once by its name, and its result finds it by
/// its name, so a service that gives none, or one twice, gets another from here.
#[derive(Clone, Debug, Default)]
pub(super) struct CallNames(BTreeSet<String>);

impl CallNames {
    /// The names in use.
    pub(super) fn new(used: impl Iterator<Item = String>) -> Self {
        Self(used.collect())
    }

    fn unique(&mut self, kind: Kind) -> Kind {
        let Kind::ToolCall { id, name } = kind else { return kind };
        let mut unique = id.clone();
        let mut number = self.0.len();
        while unique.is_empty() || !self.0.insert(unique.clone()) {
            number += 1;
            unique = format!("{}-{number}", if id.is_empty() { "call" } else { id.as_str() });
        }
        Kind::ToolCall { id: unique, name }
    }
}

fn too_large() -> Failure {
    Failure::of(Fault::TooLarge, "the model's endpoint sent more at once than an answer may have")
}
