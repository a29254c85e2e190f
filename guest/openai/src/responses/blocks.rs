//! The blocks of an answer by their place in it.

use llm_provider_core::completion::{BlockKey, Piece};
use llm_provider_core::turn::Kind;
use std::collections::BTreeMap;

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// An item that is one block: reasoning or a call.
    Item(u64),
    /// A part of a message: the item, and the part in it.
    Part(u64, u64),
}

impl Place {
    fn item(self) -> u64 {
        match self {
            Self::Item(item) | Self::Part(item, _) => item,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Blocks {
    places: BTreeMap<Place, State>,
    next: BlockKey,
}

#[derive(Debug)]
struct State {
    key: BlockKey,
    /// Some of its text was given.
    said: bool,
    open: bool,
    /// The part of a summary that grows.
    part: Option<(Reasoning, u64)>,
}

/// The two readable forms of reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reasoning {
    Summary,
    Text,
}

impl Blocks {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Begins a block, unless it has begun.
    pub(super) fn open(&mut self, place: Place, kind: Kind, out: &mut Vec<Piece>) {
        self.state(place, kind, out);
    }

    /// Whether a block has begun.
    pub(super) fn has(&self, place: Place) -> bool {
        self.places.contains_key(&place)
    }

    /// More of a block, which begins if it has not.
    pub(super) fn delta(&mut self, place: Place, kind: Kind, text: String, out: &mut Vec<Piece>) {
        if !text.is_empty() {
            let state = self.state(place, kind, out);
            state.push(text, out);
        }
    }

    /// More of a reasoning item. A blank line parts its parts.
    pub(super) fn reasoning(&mut self, item: u64, part: (Reasoning, u64), text: String, out: &mut Vec<Piece>) {
        if !text.is_empty() {
            let state = self.state(Place::Item(item), Kind::Thinking, out);
            if state.part != Some(part) && state.said {
                state.push("\n\n".to_owned(), out);
            }
            state.part = Some(part);
            state.push(text, out);
        }
    }

    /// The whole of a block, whose pieces may not have come.
    pub(super) fn whole(&mut self, place: Place, kind: Kind, text: String, out: &mut Vec<Piece>) {
        if self.places.get(&place).is_none_or(|state| !state.said) {
            self.delta(place, kind, text, out);
        }
    }

    /// Ends the block of a call. A call without arguments has an empty object, as no text is no JSON.
    pub(super) fn close_call(&mut self, place: Place, out: &mut Vec<Piece>) {
        let Some(state) = self.places.get_mut(&place) else { return };
        if !state.said {
            state.push("{}".to_owned(), out);
        }
        state.close(None, out);
    }

    /// Ends the blocks of an item.
    pub(super) fn close_item(&mut self, item: u64, signature: Option<&String>, out: &mut Vec<Piece>) {
        for (_, state) in self.places.iter_mut().filter(|(place, _)| place.item() == item) {
            state.close(signature.cloned(), out);
        }
    }

    /// Ends all blocks.
    pub(super) fn close(&mut self, out: &mut Vec<Piece>) {
        self.places.values_mut().for_each(|state| state.close(None, out));
    }

    fn state(&mut self, place: Place, kind: Kind, out: &mut Vec<Piece>) -> &mut State {
        let next = &mut self.next;
        self.places.entry(place).or_insert_with(|| {
            let key = *next;
            *next = next.saturating_add(1);
            out.push(Piece::Open(key, kind));
            State { key, said: false, open: true, part: None }
        })
    }
}

impl State {
    fn push(&mut self, text: String, out: &mut Vec<Piece>) {
        if self.open {
            self.said = true;
            out.push(Piece::Delta(self.key, text));
        }
    }

    fn close(&mut self, signature: Option<String>, out: &mut Vec<Piece>) {
        if std::mem::take(&mut self.open) {
            out.push(Piece::Close(self.key, signature));
        }
    }
}
