//! Joins what the attempts of a turn, or the turns of several models, tell into the one stream its reader sees.

use crate::bindings::llm::provider::errors::Error as ProviderError;
use crate::bindings::llm::provider::events::{Attempt, BlockKind, BlockStart, Event, Finished, Notice, NoticeKind};
use crate::bindings::llm::provider::types::{Block, Usage};

/// Numbers attempts on, sums usage, and remembers what was shown. The plugin knows each retry as a turn of its own, which
/// begins from nothing.
#[derive(Debug, Default)]
pub(crate) struct Seam {
    /// Attempts of the turns the plugin has failed already.
    earlier: u32,
    /// Attempts of the plugin's present turn.
    present: u32,
    /// An attempt is told and not abandoned.
    open: bool,
    /// Retries the provider told of.
    provider_retries: u32,
    /// A part of an answer was shown. For good: what was taken back was seen all the same.
    shown: bool,
    spent: Usage,
    current: Usage,
    told: Usage,
}

impl Seam {
    /// The event as the reader sees it.
    pub(crate) fn pass(&mut self, event: Event) -> Event {
        self.shown |= shows(&event);
        match event {
            Event::AttemptStarted(attempt) => {
                self.present = attempt.number;
                self.open = true;
                let number = self.earlier.saturating_add(attempt.number);
                Event::AttemptStarted(Attempt { number, ..attempt })
            }
            Event::AttemptAbandoned(_) => {
                self.open = false;
                event
            }
            Event::Notice(Notice { kind: NoticeKind::ProviderRetry, .. }) => {
                self.provider_retries = self.provider_retries.saturating_add(1);
                event
            }
            Event::Usage(usage) => {
                self.current = usage;
                Event::Usage(self.tell())
            }
            Event::Finished(finished) => {
                self.current = finished.usage;
                Event::Finished(Finished { usage: self.tell(), ..finished })
            }
            other => other,
        }
    }

    /// A part of an answer was shown.
    pub(super) fn shown(&self) -> bool {
        self.shown
    }

    /// Retries the provider made by itself.
    pub(super) fn provider_retries(&self) -> u32 {
        self.provider_retries
    }

    /// Ends the plugin's turn, of which another is made: what the reader is told.
    pub(crate) fn again(&mut self, reason: &str, notice: Notice) -> impl Iterator<Item = Event> + use<> {
        let abandoned = self.open.then(|| Event::AttemptAbandoned(reason.to_owned()));
        self.earlier = self.earlier.saturating_add(self.present);
        (self.present, self.open) = (0, false);
        self.spent = self.total();
        self.current = Usage::default();
        abandoned.into_iter().chain([Event::Notice(notice)])
    }

    /// The sums a reader has not been told, at the end of a turn that failed.
    pub(super) fn untold(&mut self) -> Option<Event> {
        (self.told != self.total()).then(|| Event::Usage(self.tell()))
    }

    /// A failure with the facts as the host saw them: what a plugin forgets to say was shown all the same.
    pub(super) fn correct(&self, error: &mut ProviderError, tools_ran: bool) {
        error.output_seen |= self.shown;
        error.tools_ran |= tools_ran;
        error.request_sent |= error.output_seen || error.tools_ran;
    }

    fn tell(&mut self) -> Usage {
        self.told = self.total();
        self.told
    }

    fn total(&self) -> Usage {
        let (a, b) = (&self.spent, &self.current);
        Usage {
            model_calls: a.model_calls.saturating_add(b.model_calls),
            input_tokens: a.input_tokens.saturating_add(b.input_tokens),
            output_tokens: a.output_tokens.saturating_add(b.output_tokens),
            reasoning_tokens: a.reasoning_tokens.saturating_add(b.reasoning_tokens),
            cache_read_tokens: a.cache_read_tokens.saturating_add(b.cache_read_tokens),
            cache_write_tokens: a.cache_write_tokens.saturating_add(b.cache_write_tokens),
            premium_requests: a.premium_requests + b.premium_requests,
        }
    }
}

/// Whether a reader sees a part of the answer with it.
fn shows(event: &Event) -> bool {
    match event {
        Event::TextDelta(delta) | Event::ThinkingDelta(delta) | Event::ToolArgumentsDelta(delta) => {
            !delta.text.is_empty()
        }
        Event::BlockStarted(BlockStart { kind: BlockKind::ToolCall(_), .. }) => true,
        Event::BlockFinished(end) => match &end.block {
            Block::Text(text) => !text.text.is_empty(),
            Block::Thinking(thinking) => !thinking.text.is_empty(),
            Block::ToolCall(_) | Block::Image(_) | Block::ToolResult(_) => true,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::llm::provider::errors::{ErrorKind, Verdict};
    use crate::bindings::llm::provider::events::{BlockEnd, Delta};
    use crate::bindings::llm::provider::types::{FinishReason, TextBlock};
    use crate::retry::tests::error;

    fn usage(output_tokens: u64) -> Usage {
        Usage { model_calls: 1, output_tokens, premium_requests: 0.5, ..Usage::default() }
    }

    fn attempt(number: u32) -> Event {
        Event::AttemptStarted(Attempt { number, model: None })
    }

    fn finished(usage: Usage) -> Event {
        Event::Finished(Finished { reason: FinishReason::Stop, usage, model: None, provider_request_id: None })
    }

    fn text(text: &str) -> Event {
        Event::TextDelta(Delta { index: 0, text: text.into() })
    }

    fn again(seam: &mut Seam) -> Vec<Event> {
        seam.again("it broke", Notice { kind: NoticeKind::Retry, message: "again".into() }).collect()
    }

    /// S29: each attempt begins from nothing, and the reader's counts go on.
    #[test]
    fn s29_numbers_go_on_and_usage_adds_up() {
        let mut seam = Seam::default();
        assert_eq!(seam.pass(attempt(1)), attempt(1));
        assert_eq!(seam.pass(Event::AttemptAbandoned("reset".into())), Event::AttemptAbandoned("reset".into()));
        assert_eq!(seam.pass(attempt(2)), attempt(2));
        assert_eq!(seam.pass(Event::Usage(usage(5))), Event::Usage(usage(5)));
        let told = again(&mut seam);
        assert!(matches!(&told[..], [Event::AttemptAbandoned(why), Event::Notice(_)] if why == "it broke"), "{told:?}");
        assert_eq!(seam.pass(attempt(1)), attempt(3), "without a gap");
        let sum = Usage { model_calls: 2, output_tokens: 12, premium_requests: 1.0, ..Usage::default() };
        assert_eq!(seam.pass(Event::Usage(usage(7))), Event::Usage(sum));
        assert_eq!(seam.pass(finished(usage(7))), finished(sum), "the last event says the same, not more");
    }

    #[test]
    fn nothing_is_abandoned_that_was_not_begun() {
        let mut seam = Seam::default();
        assert!(matches!(&again(&mut seam)[..], [Event::Notice(Notice { kind: NoticeKind::Retry, .. })]));
        assert_eq!(seam.pass(attempt(1)), attempt(1));
        seam.pass(Event::AttemptAbandoned("by the plugin".into()));
        assert_eq!(again(&mut seam).len(), 1);
    }

    #[test]
    fn what_failed_attempts_cost_is_told_once() {
        let mut seam = Seam::default();
        seam.pass(Event::Usage(usage(5)));
        again(&mut seam);
        assert_eq!(seam.untold(), None, "the reader knows the sum already");
        seam.current = usage(2);
        assert!(matches!(seam.untold(), Some(Event::Usage(sum)) if sum.output_tokens == 7));
        assert_eq!(seam.untold(), None);
    }

    /// B15: what was shown is known to the host, whatever the plugin says.
    #[test]
    fn b15_what_was_shown_is_a_fact() {
        let shown = |events: Vec<Event>| {
            let mut seam = Seam::default();
            events.into_iter().for_each(|event| drop(seam.pass(event)));
            let mut told = error(ErrorKind::Transport, Verdict::RetryNow);
            seam.correct(&mut told, false);
            (told.output_seen, told.request_sent)
        };
        let begin = BlockStart { index: 0, kind: BlockKind::Text };
        assert_eq!(shown(vec![attempt(1), Event::BlockStarted(begin), text("")]), (false, false));
        assert_eq!(shown(vec![attempt(1), text("x"), Event::AttemptAbandoned("reset".into())]), (true, true));
        let block = Block::Text(TextBlock { text: "whole".into() });
        assert_eq!(shown(vec![Event::BlockFinished(BlockEnd { index: 0, block })]), (true, true));
        let mut told = error(ErrorKind::Transport, Verdict::RetryNow);
        Seam::default().correct(&mut told, true);
        assert!(told.tools_ran && told.request_sent && !told.output_seen);
    }

    #[test]
    fn the_providers_own_retries_are_counted() {
        let mut seam = Seam::default();
        for kind in [NoticeKind::ProviderRetry, NoticeKind::Continued, NoticeKind::ProviderRetry] {
            seam.pass(Event::Notice(Notice { kind, message: "again".into() }));
        }
        assert_eq!(seam.provider_retries(), 2);
    }
}
