//! The answer of a turn, put together from its events.

use crate::bindings::llm::provider::events::{Event, Finished};
use crate::bindings::llm::provider::types::{Block, Message, Role, ToolResult};
use std::collections::BTreeMap;

/// What the model has said so far, and what its tools have answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The finished blocks of the current attempt.
    blocks: BTreeMap<u32, Block>,
    /// By call. They stay valid when an attempt is abandoned.
    results: BTreeMap<String, ToolResult>,
    /// In which of the model's messages each call stood: results end a message, and what begins after them is the next.
    rounds: BTreeMap<String, usize>,
    round: usize,
    answered: bool,
}

impl Answer {
    /// Takes an event.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::AttemptStarted(_) | Event::AttemptAbandoned(_) => self.blocks.clear(),
            Event::BlockStarted(_) => self.round += usize::from(std::mem::take(&mut self.answered)),
            Event::BlockFinished(end) => {
                if let Block::ToolCall(call) = &end.block {
                    self.rounds.entry(call.id.clone()).or_insert(self.round);
                }
                self.blocks.insert(end.index, end.block.clone());
            }
            Event::ToolAnswered(result) => {
                self.answered = true;
                self.results.insert(result.call_id.clone(), result.clone());
            }
            Event::TextDelta(_) | Event::ThinkingDelta(_) | Event::ToolArgumentsDelta(_) => {}
            Event::Usage(_) | Event::Notice(_) | Event::Finished(Finished { .. }) | Event::Failed(_) => {}
        }
    }

    /// The finished blocks as one message, without what tools answered.
    pub(crate) fn message(&self) -> Message {
        Message { role: Role::Assistant, blocks: self.blocks.values().cloned().collect() }
    }

    /// The messages as they were said: each of the model, followed by the results of its calls.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        let (mut said, mut results) = (Vec::new(), Vec::new());
        let mut round = None;
        for block in self.blocks.values() {
            let of = match block {
                Block::ToolCall(call) => self.rounds.get(&call.id).copied(),
                _ => None,
            };
            if of != round && !results.is_empty() {
                messages.push(Message { role: Role::Assistant, blocks: std::mem::take(&mut said) });
                messages.push(Message { role: Role::User, blocks: std::mem::take(&mut results) });
            }
            if let Block::ToolCall(call) = block
                && let Some(result) = self.results.get(&call.id)
            {
                results.push(Block::ToolResult(result.clone()));
            }
            round = of;
            said.push(block.clone());
        }
        messages.push(Message { role: Role::Assistant, blocks: said });
        if !results.is_empty() {
            messages.push(Message { role: Role::User, blocks: results });
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::llm::provider::events::{BlockEnd, BlockKind, BlockStart};
    use crate::bindings::llm::provider::types::{TextBlock, ToolCall};

    fn block(answer: &mut Answer, index: u32, block: Block) {
        answer.note(&Event::BlockStarted(BlockStart { index, kind: BlockKind::Text }));
        answer.note(&Event::BlockFinished(BlockEnd { index, block }));
    }

    fn call(id: &str) -> Block {
        Block::ToolCall(ToolCall { id: id.into(), name: "t".into(), arguments: "{}".into() })
    }

    fn result(id: &str) -> ToolResult {
        ToolResult { call_id: id.into(), content: format!("of {id}"), is_error: false }
    }

    fn text(text: &str) -> Block {
        Block::Text(TextBlock { text: text.into() })
    }

    /// S33: calls and their results, in the order in which the model saw them.
    #[test]
    fn s33_messages_are_as_they_were_said() {
        let mut answer = Answer::default();
        block(&mut answer, 0, text("look"));
        block(&mut answer, 1, call("a"));
        block(&mut answer, 2, call("b"));
        answer.note(&Event::ToolAnswered(result("b")));
        answer.note(&Event::ToolAnswered(result("a")));
        block(&mut answer, 3, call("c"));
        answer.note(&Event::ToolAnswered(result("c")));
        block(&mut answer, 4, text("done"));
        let message = |role, blocks| Message { role, blocks };
        let given = |id: &str| Block::ToolResult(result(id));
        let said = [
            message(Role::Assistant, vec![text("look"), call("a"), call("b")]),
            message(Role::User, vec![given("a"), given("b")]),
            message(Role::Assistant, vec![call("c")]),
            message(Role::User, vec![given("c")]),
            message(Role::Assistant, vec![text("done")]),
        ];
        assert_eq!(answer.messages(), said);
        assert_eq!(answer.message().blocks.len(), 5);
    }

    #[test]
    fn what_is_told_again_after_a_retry_keeps_its_place() {
        let mut answer = Answer::default();
        block(&mut answer, 0, call("a"));
        answer.note(&Event::ToolAnswered(result("a")));
        block(&mut answer, 1, text("half"));
        answer.note(&Event::AttemptAbandoned("reset".into()));
        block(&mut answer, 0, call("a"));
        block(&mut answer, 1, text("whole"));
        let roles: Vec<_> = answer.messages().into_iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::Assistant, Role::User, Role::Assistant]);
    }
}
