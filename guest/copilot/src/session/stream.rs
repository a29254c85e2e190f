//! From the CLI's deltas and whole messages to blocks: no text twice, none lost.
//!
//! The CLI streams a message under an id and then sends it whole; either may be missing, and a failed try may have
//! streamed something that counts for nothing. What was streamed is kept as items; a whole message settles them, and
//! what is void is left out when the blocks are told again in a new attempt.

use super::item::{Called, Item, Part, Sign, State};
use crate::effect::Effect;
use crate::wire::event::{ExternalTool, Message};
use llm_provider_core::turn::Turn;
use llm_provider_guest::events::BlockIndex;
use llm_provider_guest::types::{self, Block};
use memchr::arch::all::is_equal; // see `names`
use std::collections::BTreeSet;

/// The items of a turn.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    items: Vec<Item>,
    /// Items before this one belong to model calls that are over.
    settled: usize,
    /// Items before this one belong to earlier steps of the CLI.
    step: usize,
    /// The names of the calls before this turn.
    earlier: BTreeSet<String>,
}

/// A call that the CLI tells of, with all of its arguments.
struct Wanted<'a> {
    id: &'a str,
    name: &'a str,
    arguments: &'a str,
    sign: (Sign, &'a str),
}

type Out = Vec<Effect>;

impl Stream {
    /// The items of a turn that answers such a history.
    pub(crate) fn after(history: &[types::Message]) -> Self {
        let calls = history.iter().flat_map(|message| &message.blocks).filter_map(|block| match block {
            Block::ToolCall(call) => Some(call.id.clone()),
            _ => None,
        });
        Self { earlier: calls.collect(), ..Self::default() }
    }

    /// Whether anything was said that counts.
    pub(crate) fn has_answer(&self) -> bool {
        !self.items.is_empty()
    }

    /// Whether text was streamed that no whole message has settled.
    pub(crate) fn is_unsettled(&self) -> bool {
        let open = |item: &Item| matches!(item.part, Part::Text { .. }) && item.state == State::Open;
        self.items.iter().skip(self.settled).any(open)
    }

    /// More text of a message.
    #[inline]
    pub(crate) fn text(&mut self, message: &str, delta: &str, turn: &mut Turn, out: &mut Out) {
        let block = match self.items.last() {
            Some(Item { part: Part::Text { message: last }, state: State::Open, block, .. })
                if is_equal(last.as_bytes(), message.as_bytes()) =>
            {
                *block
            }
            _ => match self.begin_text(message, turn, out) {
                Some(block) => block,
                None => return,
            },
        };
        turn.delta(block, delta.to_owned(), out);
    }

    /// More thinking.
    pub(crate) fn thinking(&mut self, id: &str, delta: &str, turn: &mut Turn, out: &mut Out) {
        let known = |item: &&Item| matches!(&item.part, Part::Thinking { id: known } if known == id);
        let block = match self.items.iter().rev().find(known) {
            Some(item) => item.block,
            None => {
                self.close_thinking(turn, out);
                self.begin(Part::Thinking { id: id.to_owned() }, turn, out)
            }
        };
        turn.delta(block, delta.to_owned(), out);
    }

    /// More of a tool call's arguments. Those of a call whose id was used before wait for its message.
    pub(crate) fn tool_call(&mut self, id: &str, name: &str, delta: &str, turn: &mut Turn, out: &mut Out) {
        let block = match self.find_call(id) {
            Some((_, item)) => item.block,
            None => self.begin_call(id, name, turn, out).0,
        };
        turn.delta(block, delta.to_owned(), out);
    }

    /// A message is complete, or a part of one that comes in several. Gives the names of its calls.
    pub(crate) fn message(
        &mut self,
        message: &Message<'_>,
        content: &str,
        turn: &mut Turn,
        out: &mut Out,
    ) -> Vec<String> {
        let thinking = message.reasoning_text.as_ref().map_or("", |text| &text.0);
        let streamed = self.items.get(self.settled..).unwrap_or_default();
        // Each part has thinking of its own.
        let tells = |item: &Item| message.chunk_index.is_none() || item.text(turn).contains(thinking);
        let known = |item: &Item| matches!(item.part, Part::Thinking { .. }) && tells(item);
        if !thinking.is_empty() && !streamed.iter().any(known) {
            let part = Part::Thinking { id: message.message_id.to_string() };
            let block = self.begin(part, turn, out);
            turn.delta(block, thinking.to_owned(), out);
        }
        self.close_thinking(turn, out);
        self.whole_text(&message.message_id, content, turn, out);
        let mut told = Vec::new();
        for request in message.tool_requests.iter().flatten() {
            let wanted = Wanted {
                id: &request.tool_call_id,
                name: &request.name,
                arguments: request.arguments.map_or("{}", |raw| raw.get()),
                sign: (Sign::Message, &message.message_id),
            };
            told.push(self.whole_call(&wanted, &told, turn, out));
        }
        if message.is_last() {
            self.settled = self.items.len();
        }
        told
    }

    /// A tool call the CLI wants run: it has a block, whether its message came or not. Gives its name.
    pub(crate) fn requested(&mut self, request: &ExternalTool<'_>, turn: &mut Turn, out: &mut Out) -> String {
        let wanted = Wanted {
            id: &request.tool_call_id,
            name: &request.tool_name,
            arguments: request.arguments.map_or("{}", |raw| raw.get()),
            sign: (Sign::Request, &request.request_id),
        };
        self.whole_call(&wanted, &[], turn, out)
    }

    /// The host's name for the last call of this id.
    pub(crate) fn named(&self, id: &str) -> Option<&str> {
        self.find_call(id).map(|(call, _)| call.told.as_str())
    }

    /// The model call is over because the answer ran into its limit: what came so far counts, and may go on.
    pub(crate) fn cut(&mut self) {
        let open = |item: &&mut Item| matches!(item.part, Part::Text { .. }) && item.state == State::Open;
        if let Some(item) = self.items.iter_mut().skip(self.settled).rev().find(open) {
            item.state = State::Cut;
        }
        self.settled = self.items.len();
    }

    /// The CLI asks the model again: what the failed call streamed is void. A tool call that is whole is not, though its
    /// message never came: the tool may have run, and its answer must find the call.
    pub(crate) fn retry(&mut self, reason: &str, turn: &mut Turn, out: &mut Out) {
        let called = |item: &Item| item.call().is_some() && item.state == State::Whole;
        if self.items.iter().skip(self.settled).any(|item| !called(item)) {
            let settled = self.settled;
            self.tell_again(reason, |at, item| at < settled || called(item), None, turn, out);
        }
    }

    /// A step of the CLI is over. Versions that say nothing of their retries leave text that no message settled.
    pub(crate) fn step_over(&mut self, turn: &mut Turn, out: &mut Out) {
        let step = self.items.iter().skip(self.step).filter(|item| matches!(item.part, Part::Text { .. }));
        let (mut open, mut whole) = (false, false);
        for item in step {
            open |= item.state == State::Open;
            whole |= item.state == State::Whole;
        }
        if open && whole {
            let keep = |_: usize, item: &Item| !(matches!(item.part, Part::Text { .. }) && item.state == State::Open);
            self.tell_again("the model's endpoint was asked again", keep, None, turn, out);
        }
        self.step = self.items.len();
    }

    fn begin(&mut self, part: Part, turn: &mut Turn, out: &mut Out) -> BlockIndex {
        let block = turn.open(part.kind(), out);
        self.items.push(Item { part, state: State::Open, block, start: 0, end: None });
        block
    }

    /// The block that text of this message goes to; `None` when the message is complete already.
    fn begin_text(&mut self, message: &str, turn: &mut Turn, out: &mut Out) -> Option<BlockIndex> {
        self.close_thinking(turn, out);
        if let Some(item) = self.find_text(message) {
            return (item.state != State::Whole).then_some(item.block);
        }
        let part = Part::Text { message: message.to_owned() };
        let cut = self.items.iter_mut().rev().find(|item| matches!(item.part, Part::Text { .. }));
        match cut.filter(|item| item.state == State::Cut) {
            Some(before) => {
                let (block, start) = (before.block, turn.text(before.block).len());
                before.end = Some(start);
                self.items.push(Item { part, state: State::Open, block, start, end: None });
                Some(block)
            }
            None => Some(self.begin(part, turn, out)),
        }
    }

    fn find_text(&self, message: &str) -> Option<&Item> {
        let known = |item: &&Item| matches!(&item.part, Part::Text { message: known } if known == message);
        self.items.iter().rev().find(known)
    }

    fn whole_text(&mut self, message: &str, content: &str, turn: &mut Turn, out: &mut Out) {
        let streamed = match self.find_text(message) {
            Some(item) if item.state == State::Whole => return,
            Some(item) => Some(item.text(turn).to_owned()),
            None if content.is_empty() => return,
            None => None,
        };
        let streamed = streamed.unwrap_or_default();
        match content.strip_prefix(streamed.as_str()) {
            Some(rest) => self.text(message, rest, turn, out),
            None if content.is_empty() => {}
            None => {
                let replaced = Some((message, content));
                self.tell_again(
                    "the complete message differs from what was streamed",
                    |_, _| true,
                    replaced,
                    turn,
                    out,
                );
            }
        }
        let Some(block) = self.find_text(message).map(|item| item.block) else { return };
        self.close(block, turn, out);
    }

    fn find_call(&self, id: &str) -> Option<(&Called, &Item)> {
        let known = |item: &&Item| item.call().is_some_and(|call| call.id == id);
        let item = self.items.iter().rev().find(known)?;
        Some((item.call()?, item))
    }

    fn begin_call(&mut self, id: &str, name: &str, turn: &mut Turn, out: &mut Out) -> (BlockIndex, String) {
        self.close_thinking(turn, out);
        let told = self.free_name(id);
        let call =
            Called { id: id.to_owned(), told: told.clone(), name: name.to_owned(), message: None, request: None };
        (self.begin(Part::ToolCall(call), turn, out), told)
    }

    /// A call runs at most once by its name, and its result finds it by its name.
    fn free_name(&self, id: &str) -> String {
        let taken = |name: &str| self.items.iter().filter_map(Item::call).any(|call| call.told == name);
        let (mut name, mut number) = (id.to_owned(), 1);
        while name.is_empty() || self.earlier.contains(&name) || taken(&name) {
            number += 1;
            name = format!("{}-{number}", if id.is_empty() { "call" } else { id });
        }
        name
    }

    /// The call that is meant, none of those in `others`: the one that has the sign, or the first that may have it among
    /// the last of this id.
    fn meant(&self, wanted: &Wanted<'_>, others: &[String]) -> Option<(&Called, &Item)> {
        let (sign, value) = wanted.sign;
        let calls = || {
            let calls = self.items.iter().filter_map(|item| Some((item.call()?, item)));
            calls.filter(|(call, _)| call.id == wanted.id && !others.contains(&call.told))
        };
        let signed = calls().find(|(call, _)| call.sign(sign) == Some(value));
        signed.or_else(|| {
            let (last, _) = calls().next_back()?;
            calls().find(|(call, _)| call.message == last.message && call.sign(sign).is_none())
        })
    }

    /// A call with all of its arguments. Gives its name.
    fn whole_call(&mut self, wanted: &Wanted<'_>, others: &[String], turn: &mut Turn, out: &mut Out) -> String {
        let (block, told) = match self.meant(wanted, others) {
            Some((call, item)) => (item.block, call.told.clone()),
            None => self.begin_call(wanted.id, wanted.name, turn, out),
        };
        let (sign, value) = wanted.sign;
        if let Some(call) = self.items.iter_mut().filter_map(Item::call_mut).find(|call| call.told == told) {
            call.set(sign, value);
        }
        if turn.text(block).is_empty() {
            turn.delta(block, wanted.arguments.to_owned(), out);
        }
        self.close(block, turn, out);
        told
    }

    fn close_thinking(&mut self, turn: &mut Turn, out: &mut Out) {
        let open = |item: &&mut Item| matches!(item.part, Part::Thinking { .. }) && item.state == State::Open;
        if let Some(item) = self.items.iter_mut().rev().find(open) {
            item.state = State::Whole;
            turn.close(item.block, None, out);
        }
    }

    fn close(&mut self, block: BlockIndex, turn: &mut Turn, out: &mut Out) {
        self.items.iter_mut().filter(|item| item.block == block).for_each(|item| item.state = State::Whole);
        turn.close(block, None, out);
    }

    /// Voids the attempt and tells in a new one what is kept, with the text of one message replaced.
    fn tell_again(
        &mut self,
        reason: &str,
        keep: impl Fn(usize, &Item) -> bool,
        replaced: Option<(&str, &str)>,
        turn: &mut Turn,
        out: &mut Out,
    ) {
        let items = std::mem::take(&mut self.items);
        let kept: Vec<(Item, String)> = items
            .into_iter()
            .enumerate()
            .filter(|(at, item)| keep(*at, item))
            .map(|(_, item)| {
                let text = match (&item.part, replaced) {
                    (Part::Text { message }, Some((id, text))) if message == id => text,
                    _ => item.text(turn),
                };
                let text = text.to_owned();
                (item, text)
            })
            .collect();
        (self.settled, self.step) = (self.settled.min(kept.len()), self.step.min(kept.len()));
        turn.abandon(reason, out);
        for (item, text) in kept {
            self.tell(item, text, turn, out);
        }
    }

    fn tell(&mut self, item: Item, text: String, turn: &mut Turn, out: &mut Out) {
        let block = match &item.part {
            Part::Text { message } => self.begin_text(message, turn, out),
            Part::Thinking { .. } | Part::ToolCall(_) => Some(self.begin(item.part.clone(), turn, out)),
        };
        let Some(block) = block else { return };
        turn.delta(block, text, out);
        if let Some(last) = self.items.last_mut() {
            last.state = item.state;
        }
        if item.state == State::Whole {
            turn.close(block, None, out);
        }
    }
}
