//! Watches that a plugin's events make sense: what a consumer may rely on, checked in one place.

use crate::bindings::llm::provider::events::{BlockKind, Event};
use crate::bindings::llm::provider::types::Block;
use std::collections::{BTreeMap, BTreeSet};

/// Blocks of an attempt that are remembered. Answers have some dozen; a plugin must not make the host remember without end.
const BLOCKS: usize = 10_000;

/// The state of a block within the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockState {
    Text,
    Thinking,
    ToolCall,
    Finished,
}

/// What was said in a turn so far, as far as the contract needs it.
#[derive(Debug, Default)]
pub(crate) struct Contract {
    attempts: u32,
    running: bool,
    blocks: BTreeMap<u32, BlockState>,
    /// The calls that were told, in any attempt.
    calls: BTreeSet<String>,
}

impl Contract {
    /// Takes the next event, or says what is wrong with it.
    pub(crate) fn check(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::AttemptStarted(attempt) => self.start_attempt(attempt.number),
            Event::AttemptAbandoned(_) => self.need_attempt("attempt-abandoned").map(|()| self.running = false),
            Event::BlockStarted(block) => self.start_block(block.index, &block.kind),
            Event::TextDelta(delta) => self.need_block(delta.index, BlockState::Text, "text-delta"),
            Event::ThinkingDelta(delta) => self.need_block(delta.index, BlockState::Thinking, "thinking-delta"),
            Event::ToolArgumentsDelta(delta) => {
                self.need_block(delta.index, BlockState::ToolCall, "tool-arguments-delta")
            }
            Event::BlockFinished(end) => self.finish_block(end.index, &end.block),
            Event::Finished(_) if self.blocks.values().any(|state| *state != BlockState::Finished) => {
                Err("it finished a turn with an open block".into())
            }
            Event::ToolAnswered(result) if !self.calls.contains(&result.call_id) => {
                Err(format!("tool-answered for the call `{}`, which was not told", result.call_id.escape_debug()))
            }
            Event::ToolAnswered(_) => Ok(()),
            Event::Usage(_) | Event::Notice(_) | Event::Finished(_) | Event::Failed(_) => Ok(()),
        }
    }

    fn start_attempt(&mut self, number: u32) -> Result<(), String> {
        if self.running || number != self.attempts.saturating_add(1) {
            return Err(format!("attempt {number} began after attempt {}, which was not abandoned", self.attempts));
        }
        (self.attempts, self.running) = (number, true);
        self.blocks.clear();
        Ok(())
    }

    fn need_attempt(&self, what: &str) -> Result<(), String> {
        if self.running { Ok(()) } else { Err(format!("{what} without an attempt")) }
    }

    fn start_block(&mut self, index: u32, kind: &BlockKind) -> Result<(), String> {
        self.need_attempt("block-started")?;
        if self.blocks.len() >= BLOCKS {
            return Err(format!("it began more than {BLOCKS} blocks"));
        }
        let state = match kind {
            BlockKind::Text => BlockState::Text,
            BlockKind::Thinking => BlockState::Thinking,
            BlockKind::ToolCall(_) => BlockState::ToolCall,
        };
        match self.blocks.insert(index, state) {
            None => Ok(()),
            Some(_) => Err(format!("block {index} began twice")),
        }
    }

    fn need_block(&self, index: u32, wanted: BlockState, what: &str) -> Result<(), String> {
        match self.blocks.get(&index) {
            Some(state) if *state == wanted => Ok(()),
            Some(state) => Err(format!("{what} for block {index}, which is {state:?}")),
            None => Err(format!("{what} for block {index}, which has not begun")),
        }
    }

    fn finish_block(&mut self, index: u32, block: &Block) -> Result<(), String> {
        let wanted = match block {
            Block::Text(_) => BlockState::Text,
            Block::Thinking(_) => BlockState::Thinking,
            Block::ToolCall(_) => BlockState::ToolCall,
            Block::Image(_) | Block::ToolResult(_) => return Err(format!("block {index} is not one a model makes")),
        };
        self.need_block(index, wanted, "block-finished")?;
        if let Block::ToolCall(call) = block {
            self.calls.insert(call.id.clone());
        }
        self.blocks.insert(index, BlockState::Finished);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::llm::provider::events::{Attempt, BlockEnd, BlockStart, Delta};
    use crate::bindings::llm::provider::types::TextBlock;

    fn attempt(number: u32) -> Event {
        Event::AttemptStarted(Attempt { number, model: None })
    }

    fn start(index: u32) -> Event {
        Event::BlockStarted(BlockStart { index, kind: BlockKind::Text })
    }

    fn text(index: u32) -> Event {
        Event::TextDelta(Delta { index, text: "x".into() })
    }

    fn end(index: u32) -> Event {
        Event::BlockFinished(BlockEnd { index, block: Block::Text(TextBlock { text: "x".into() }) })
    }

    fn broken(events: &[Event]) -> bool {
        let mut contract = Contract::default();
        events.iter().any(|event| contract.check(event).is_err())
    }

    #[test]
    fn a_sound_turn_passes_and_every_slip_is_seen() {
        let abandoned = || Event::AttemptAbandoned("reset".into());
        assert!(!broken(&[attempt(1), start(0), text(0), abandoned(), attempt(2), start(0), text(0), end(0)]));
        assert!(broken(&[start(0)]));
        assert!(broken(&[attempt(2)]));
        assert!(broken(&[attempt(1), attempt(2)]));
        assert!(broken(&[attempt(1), start(0), start(0)]));
        assert!(broken(&[attempt(1), text(0)]));
        assert!(broken(&[attempt(1), start(0), end(0), text(0)]));
        assert!(broken(&[attempt(1), start(0), end(0), end(0)]));
        assert!(broken(&[attempt(1), start(0), Event::ThinkingDelta(Delta { index: 0, text: "x".into() })]));
        assert!(broken(&[attempt(1), start(0), abandoned(), text(1)]));
    }
}
