//! The event side of a turn.
//!
//! [`Turn`] owns the attempt and its blocks and is used up by its terminal event, so that a second one, or an event
//! after it, does not compile.

mod block;

pub use block::Kind;

use block::OpenBlock;
use llm_provider_guest::effects::EventEffect;
use llm_provider_guest::errors::Error;
use llm_provider_guest::events::{
    Attempt, BlockEnd, BlockIndex, BlockStart, Delta, Event, Failed, Finished, Notice, NoticeKind,
};
use llm_provider_guest::types::{Block, FinishReason, ToolResult, TurnId, Usage};

/// What decides whether a retry is safe, for the error of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The request may have reached the model.
    pub request_sent: bool,
    /// A part of the answer was shown.
    pub output_seen: bool,
    /// A tool ran.
    pub tools_ran: bool,
}

/// A running turn. Events go to any effect list that takes [`EventEffect`].
#[derive(Debug)]
pub struct Turn {
    id: TurnId,
    model: Option<String>,
    attempts: u32,
    attempting: bool,
    blocks: Vec<OpenBlock>,
    usage: Usage,
    reach: Reach,
}

impl Turn {
    /// A turn of which nothing was told yet.
    #[must_use]
    pub fn new(id: TurnId, model: Option<String>) -> Self {
        Self {
            id,
            model,
            attempts: 0,
            attempting: false,
            blocks: Vec::new(),
            usage: Usage::default(),
            reach: Reach::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> TurnId {
        self.id
    }

    /// What happened so far that a retry would repeat.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Notes that the request may have reached the model.
    pub fn request_sent(&mut self) {
        self.reach.request_sent = true;
    }

    /// Notes that a tool ran.
    pub fn tools_ran(&mut self) {
        self.reach.tools_ran = true;
    }

    /// Names the model that answers, for the attempts that begin after this.
    pub fn set_model(&mut self, model: String) {
        self.model = Some(model);
    }

    /// Begins an attempt if none runs.
    pub fn attempt<E: From<EventEffect>>(&mut self, out: &mut Vec<E>) {
        if self.attempting {
            return;
        }
        self.attempting = true;
        self.attempts += 1;
        self.emit(out, Event::AttemptStarted(Attempt { number: self.attempts, model: self.model.clone() }));
    }

    /// Begins a block, and an attempt if none runs.
    pub fn open<E: From<EventEffect>>(&mut self, kind: Kind, out: &mut Vec<E>) -> BlockIndex {
        self.attempt(out);
        let index = self.next_index();
        self.emit(out, Event::BlockStarted(BlockStart { index, kind: kind.told() }));
        self.blocks.push(OpenBlock::new(kind));
        index
    }

    /// More of a block. Nothing happens for a block that is not open, or for no text.
    #[inline]
    pub fn delta<E: From<EventEffect>>(&mut self, index: BlockIndex, text: String, out: &mut Vec<E>) {
        let Some(block) = self.block_mut(index).filter(|block| block.is_open()) else { return };
        if text.is_empty() {
            return;
        }
        block.push(&text);
        let event = block.delta(Delta { index, text });
        self.reach.output_seen = true;
        self.emit(out, event);
    }

    /// Ends a block and tells it whole. Nothing happens for a block that is not open.
    pub fn close<E: From<EventEffect>>(&mut self, index: BlockIndex, signature: Option<String>, out: &mut Vec<E>) {
        let Some(block) = self.block_mut(index).filter(|block| block.is_open()) else { return };
        let block = block.finish(signature);
        self.emit(out, Event::BlockFinished(BlockEnd { index, block }));
    }

    /// What a block holds so far; empty for one that does not exist.
    #[must_use]
    pub fn text(&self, index: BlockIndex) -> &str {
        usize::try_from(index).ok().and_then(|at| self.blocks.get(at)).map_or("", OpenBlock::text)
    }

    /// How many blocks the attempt has: the index of the next.
    #[must_use]
    pub fn next_index(&self) -> BlockIndex {
        BlockIndex::try_from(self.blocks.len()).unwrap_or(BlockIndex::MAX)
    }

    /// The blocks from an index on, in order, with what they hold so far.
    #[must_use]
    pub fn blocks_from(&self, index: BlockIndex) -> Vec<Block> {
        let skipped = usize::try_from(index).unwrap_or(usize::MAX);
        self.blocks.iter().skip(skipped).map(OpenBlock::whole).collect()
    }

    /// Ends the blocks that are open.
    pub fn close_all<E: From<EventEffect>>(&mut self, out: &mut Vec<E>) {
        for index in 0..self.next_index() {
            self.close(index, None, out);
        }
    }

    /// Voids all blocks of the attempt; the next block begins another. Nothing happens when no attempt runs.
    pub fn abandon<E: From<EventEffect>>(&mut self, reason: &str, out: &mut Vec<E>) {
        if !self.attempting {
            return;
        }
        self.attempting = false;
        self.blocks.clear();
        self.emit(out, Event::AttemptAbandoned(reason.to_owned()));
    }

    /// Tells what a tool has answered.
    pub fn tool_answered<E: From<EventEffect>>(&self, result: ToolResult, out: &mut Vec<E>) {
        self.emit(out, Event::ToolAnswered(result));
    }

    /// Adds the cost of a model call and tells the sums so far.
    pub fn add_usage<E: From<EventEffect>>(&mut self, call: &Usage, out: &mut Vec<E>) {
        let sum = &mut self.usage;
        sum.model_calls = sum.model_calls.saturating_add(call.model_calls);
        sum.input_tokens = sum.input_tokens.saturating_add(call.input_tokens);
        sum.output_tokens = sum.output_tokens.saturating_add(call.output_tokens);
        sum.reasoning_tokens = sum.reasoning_tokens.saturating_add(call.reasoning_tokens);
        sum.cache_read_tokens = sum.cache_read_tokens.saturating_add(call.cache_read_tokens);
        sum.cache_write_tokens = sum.cache_write_tokens.saturating_add(call.cache_write_tokens);
        sum.premium_requests += call.premium_requests;
        self.emit(out, Event::Usage(self.usage));
    }

    /// Tells something that changes nothing.
    pub fn notice<E: From<EventEffect>>(&self, kind: NoticeKind, message: String, out: &mut Vec<E>) {
        self.emit(out, Event::Notice(Notice { kind, message }));
    }

    /// The turn was answered: ends what is open. Gives the blocks in order, as they belong into the history.
    pub fn finish<E: From<EventEffect>>(
        mut self,
        reason: FinishReason,
        provider_request_id: Option<String>,
        out: &mut Vec<E>,
    ) -> Vec<Block> {
        self.attempt(out);
        self.close_all(out);
        let finished = Finished { reason, usage: self.usage, model: self.model.clone(), provider_request_id };
        self.emit(out, Event::Finished(finished));
        self.blocks.into_iter().map(|mut block| block.finish(None)).collect()
    }

    /// The turn was not answered. What the turn knows of its reach is put into the error.
    pub fn fail<E: From<EventEffect>>(self, error: Error, out: &mut Vec<E>) {
        let Reach { request_sent, output_seen, tools_ran } = self.reach;
        let error = Error { request_sent, output_seen, tools_ran, ..error };
        self.emit(out, Event::Failed(Failed { error, usage: self.usage }));
    }

    fn block_mut(&mut self, index: BlockIndex) -> Option<&mut OpenBlock> {
        usize::try_from(index).ok().and_then(|at| self.blocks.get_mut(at))
    }

    #[inline]
    fn emit<E: From<EventEffect>>(&self, out: &mut Vec<E>, event: Event) {
        out.push(EventEffect(self.id, event).into());
    }
}
