//! The reader of an answer.

mod block;
mod stop;
mod usage;
mod wire;

use crate::refusal;
use block::OpenBlock;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::{BlockKey, Piece, Reader};
use llm_provider_core::surrogate::mended;
use llm_provider_guest::types::FinishReason;
use std::collections::BTreeMap;
use usage::Counted;
use wire::{Content, Delta, Event, Message};

/// Reads one answer of the Messages API.
#[derive(Debug, Default)]
pub struct Answer {
    /// The blocks that grow, by the service's index. Compatible services are known to use an index twice, so keys are
    /// counted here.
    open: BTreeMap<u64, OpenBlock>,
    next: BlockKey,
    counted: Counted,
    called: bool,
    stopped: bool,
}

impl Reader for Answer {
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let mut event: Event<'_> = match serde_json::from_str(data) {
            Ok(event) => event,
            Err(error) => {
                return match mended(data) {
                    Some(copy) => self.event(name, &copy, out),
                    None if wire::is_known(name, data) => Err(unreadable("an event", &error)),
                    None => {
                        out.push(Piece::Unknown);
                        Ok(())
                    }
                };
            }
        };
        let kind = std::mem::take(&mut event.kind);
        let kind = if kind.is_empty() { name } else { kind.as_ref() };
        match (kind, event) {
            ("message_start", Event { message: Some(message), .. }) => self.begin(&message, out),
            ("content_block_start", Event { index: Some(index), content_block: Some(content), .. }) => {
                self.open(index, content, out);
            }
            ("content_block_delta", Event { index: Some(index), delta: Some(delta), .. }) => {
                self.delta(index, delta, out);
            }
            ("content_block_stop", Event { index: Some(index), .. }) => self.close(index, out),
            ("message_delta", Event { delta, usage, .. }) => {
                self.count(usage.as_ref(), out);
                self.stop(delta.and_then(|delta| delta.stop_reason).as_deref(), out);
            }
            ("message_stop", _) => self.complete(out),
            ("ping", _) => {}
            ("error", Event { error: Some(error), request_id, .. }) => {
                return Err(refusal::of_stream(refusal::Report { error, request_id }));
            }
            ("error", _) => return Err(broken("an `error` without a reason")),
            ("message_start" | "content_block_start" | "content_block_delta" | "content_block_stop", _) => {
                return Err(broken(&format!("a `{kind}` that lacks a part")));
            }
            _ => out.push(Piece::Unknown),
        }
        Ok(())
    }

    fn whole(&mut self, body: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let mut message: Message = match serde_json::from_str(body) {
            Ok(message) => message,
            Err(error) => {
                return match mended(body) {
                    Some(copy) => self.whole(&copy, out),
                    None => Err(unreadable("an answer", &error)),
                };
            }
        };
        if let Some(error) = message.error.take() {
            return Err(refusal::of_stream(refusal::Report { error, request_id: message.request_id }));
        }
        self.begin(&message, out);
        for (index, content) in (0..).zip(message.content.take().unwrap_or_default()) {
            self.open(index, content, out);
            self.close(index, out);
        }
        self.stop(message.stop_reason.as_deref(), out);
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Failure> {
        if self.stopped {
            return Ok(());
        }
        Err(Failure::of(Fault::Transport, "the stream ended before the answer did"))
    }
}

impl Answer {
    fn begin(&mut self, message: &Message, out: &mut Vec<Piece>) {
        out.extend(message.model.clone().filter(|model| !model.is_empty()).map(Piece::Model));
        self.count(message.usage.as_ref(), out);
    }

    fn count(&mut self, usage: Option<&wire::Usage>, out: &mut Vec<Piece>) {
        if let Some(usage) = usage {
            self.counted.update(usage);
            out.push(Piece::Usage(self.counted.usage()));
        }
    }

    fn open(&mut self, index: u64, content: Content, out: &mut Vec<Piece>) {
        // A block that was not closed is over when another takes its place.
        self.close(index, out);
        self.called |= content.kind == "tool_use";
        self.open.insert(index, OpenBlock::open(self.next, content, out));
        self.next = self.next.saturating_add(1);
    }

    /// More of a block. One that is not open has nothing to add to.
    fn delta(&mut self, index: u64, delta: Delta, out: &mut Vec<Piece>) {
        match self.open.get_mut(&index) {
            Some(block) => block.delta(delta, out),
            None => out.push(Piece::Unknown),
        }
    }

    fn close(&mut self, index: u64, out: &mut Vec<Piece>) {
        if let Some(block) = self.open.remove(&index) {
            block.close(out);
        }
    }

    fn stop(&mut self, reason: Option<&str>, out: &mut Vec<Piece>) {
        if let Some(reason) = reason {
            self.stopped = true;
            out.push(Piece::Stopped(stop::reason(reason)));
        }
    }

    /// The answer is complete. Without a reason, there is only one of two.
    fn complete(&mut self, out: &mut Vec<Piece>) {
        if !std::mem::replace(&mut self.stopped, true) {
            out.push(Piece::Stopped(if self.called { FinishReason::ToolCalls } else { FinishReason::Stop }));
        }
    }
}

fn unreadable(what: &str, error: &serde_json::Error) -> Failure {
    broken(&format!("{what} that cannot be read: {error}"))
}

fn broken(what: &str) -> Failure {
    Failure::of(Fault::Protocol, format!("the Messages API sent {what}"))
}
