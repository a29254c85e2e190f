//! What a server has after a turn that ended well.

use super::{Run, Tools};
use crate::port::Port;
use crate::reconcile::{Pending, Server};
use llm_provider_core::digest::Chain;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::types::{Block, FinishReason, Message, Role};

impl Run {
    /// Tells the end of an answered turn. Gives the server session, unless its history is no longer the caller's.
    pub(crate) fn answered(mut self, port: &mut Port) -> Option<Server> {
        let reason = match (self.filtered, self.finish.take()) {
            (true, _) => FinishReason::ContentFilter,
            (false, reason) => reason.unwrap_or(FinishReason::Stop),
        };
        if self.whole_until.is_some() && self.tainted {
            let message = "the CLI did not say that the turn is over; the next one begins with the whole conversation";
            self.turn.notice(NoticeKind::Other("lost-idle".to_owned()), message.to_owned(), &mut port.out);
        }
        self.ended(reason, None, port)
    }

    /// Tells the end of a turn whose tools the caller runs. The server's turn goes on waiting in its session; `None` when
    /// that is not going to be the caller's history.
    pub(crate) fn suspended(self, port: &mut Port) -> Option<Server> {
        let pending = self.suspension.pending(self.message_id.clone());
        let good = pending.is_some();
        self.ended(FinishReason::ToolCalls, pending, port).filter(|_| good)
    }

    fn ended(self, reason: FinishReason, pending: Option<Pending>, port: &mut Port) -> Option<Server> {
        self.tell_unknown(port);
        let blocks = self.turn.finish(reason, self.request_id, &mut port.out);
        let history: Chain = self.history;
        let known = shapes(&blocks, &self.tools).into_iter().map(|shape| history.extend(&shape)).collect();
        let (name, options, durable) = (self.name, self.options.print, self.durable);
        let server = Server { name, known, options, durable, cold: false, pending };
        (!self.tainted).then_some(server)
    }

    /// One notice for everything that was not understood.
    pub(crate) fn tell_unknown(&self, port: &mut Port) {
        if self.unknown > 0 {
            let message = format!("{} events of kinds unknown to this plugin were ignored", self.unknown);
            self.turn.notice(NoticeKind::UnknownEventIgnored, message, &mut port.out);
        }
    }
}

/// The answer as a caller may give it back: as one message; or as it was said, each message of the model followed by the
/// results of its calls.
fn shapes(blocks: &[Block], tools: &Tools) -> Vec<Vec<Message>> {
    let one = vec![Message { role: Role::Assistant, blocks: blocks.to_vec() }];
    if !blocks.iter().any(|block| matches!(block, Block::ToolCall(_))) {
        return vec![one];
    }
    let mut split = Vec::new();
    let (mut said, mut answers) = (Vec::new(), Vec::new());
    let mut round = None;
    for block in blocks {
        let of = match block {
            Block::ToolCall(call) => tools.round(&call.id),
            _ => None,
        };
        if of != round && !answers.is_empty() {
            split.push(Message { role: Role::Assistant, blocks: std::mem::take(&mut said) });
            split.push(Message { role: Role::User, blocks: std::mem::take(&mut answers) });
        }
        if let Block::ToolCall(call) = block
            && let Some(result) = tools.result(&call.id)
        {
            answers.push(Block::ToolResult(result.clone()));
        }
        round = of;
        said.push(block.clone());
    }
    split.push(Message { role: Role::Assistant, blocks: said });
    if !answers.is_empty() {
        split.push(Message { role: Role::User, blocks: answers });
    }
    vec![one, split]
}
