//! From the CLI's deltas and whole messages to blocks: no text twice, none lost.
//!
//! The CLI streams a message under an id and then sends it whole; either may be missing, and a failed try may have
//! streamed something that counts for nothing. What was streamed is kept as items; a whole message settles them, and
//! what is void is left out when the blocks are told again in a new attempt.

use crate::effect::Effect;
use crate::wire::event::{Message, ToolRequest};
use llm_provider_core::turn::{Kind, Turn};
use llm_provider_guest::events::BlockIndex;

/// What an item is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text { message: String },
    Thinking { id: String },
    ToolCall { id: String, name: String },
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may grow, and it may turn out void.
    Open,
    /// It counts, and goes on in the next message: the model ran into its limit and is asked to continue.
    Cut,
    /// It counts and is complete.
    Whole,
}

/// A piece of a block: the whole of it, but for text that several messages continue.
#[derive(Clone, Debug)]
struct Item {
    part: Part,
    state: State,
    block: BlockIndex,
    start: usize,
    end: Option<usize>,
}

impl Item {
    fn text<'t>(&self, turn: &'t Turn) -> &'t str {
        let text = turn.text(self.block);
        text.get(self.start..self.end.unwrap_or(text.len())).unwrap_or_default()
    }
}

/// The items of a turn.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    items: Vec<Item>,
    /// Items before this one belong to model calls that are over.
    settled: usize,
    /// Items before this one belong to earlier steps of the CLI.
    step: usize,
}

type Out = Vec<Effect>;

impl Stream {
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
            Some(Item { part: Part::Text { message: last }, state: State::Open, block, .. }) if last == message => {
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
                self.begin(Part::Thinking { id: id.to_owned() }, Kind::Thinking, turn, out)
            }
        };
        turn.delta(block, delta.to_owned(), out);
    }

    /// More of a tool call's arguments.
    pub(crate) fn tool_call(&mut self, id: &str, name: &str, delta: &str, turn: &mut Turn, out: &mut Out) {
        let block = self.tool_block(id, name, turn, out);
        turn.delta(block, delta.to_owned(), out);
    }

    /// A message is complete.
    pub(crate) fn message(&mut self, message: &Message<'_>, content: &str, turn: &mut Turn, out: &mut Out) {
        let thinking = message.reasoning_text.as_ref().map_or("", |text| &text.0);
        let streamed = self.items.get(self.settled..).unwrap_or_default();
        if !thinking.is_empty() && !streamed.iter().any(|item| matches!(item.part, Part::Thinking { .. })) {
            let part = Part::Thinking { id: message.message_id.to_string() };
            let block = self.begin(part, Kind::Thinking, turn, out);
            turn.delta(block, thinking.to_owned(), out);
        }
        self.close_thinking(turn, out);
        self.whole_text(&message.message_id, content, turn, out);
        for request in message.tool_requests.iter().flatten() {
            self.whole_tool_call(request, turn, out);
        }
        self.settled = self.items.len();
    }

    /// A tool call the CLI wants run: it has a block, whether its message came or not.
    pub(crate) fn requested(&mut self, id: &str, name: &str, arguments: &str, turn: &mut Turn, out: &mut Out) {
        let block = self.tool_block(id, name, turn, out);
        if turn.text(block).is_empty() {
            turn.delta(block, arguments.to_owned(), out);
        }
        self.close(block, turn, out);
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
        let called = |item: &Item| matches!(item.part, Part::ToolCall { .. }) && item.state == State::Whole;
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

    fn begin(&mut self, part: Part, kind: Kind, turn: &mut Turn, out: &mut Out) -> BlockIndex {
        let block = turn.open(kind, out);
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
            None => Some(self.begin(part, Kind::Text, turn, out)),
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

    fn tool_block(&mut self, id: &str, name: &str, turn: &mut Turn, out: &mut Out) -> BlockIndex {
        let known = |item: &&Item| matches!(&item.part, Part::ToolCall { id: known, .. } if known == id);
        if let Some(item) = self.items.iter().rev().find(known) {
            return item.block;
        }
        self.close_thinking(turn, out);
        let (id, name) = (id.to_owned(), name.to_owned());
        self.begin(Part::ToolCall { id: id.clone(), name: name.clone() }, Kind::ToolCall { id, name }, turn, out)
    }

    fn whole_tool_call(&mut self, request: &ToolRequest<'_>, turn: &mut Turn, out: &mut Out) {
        let arguments = request.arguments.map_or("{}", |raw| raw.get());
        self.requested(&request.tool_call_id, &request.name, arguments, turn, out);
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
            Part::Thinking { .. } => Some(self.begin(item.part.clone(), Kind::Thinking, turn, out)),
            Part::ToolCall { id, name } => {
                let kind = Kind::ToolCall { id: id.clone(), name: name.clone() };
                Some(self.begin(item.part.clone(), kind, turn, out))
            }
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
