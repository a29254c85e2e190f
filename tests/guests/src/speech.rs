//! Honest events, from which the dishonest ones are made by leaving out and repeating.

use crate::effect::Effect;
use llm_provider_guest::effects::EventEffect;
use llm_provider_guest::errors::{Error, ErrorKind, ErrorScope, Verdict};
use llm_provider_guest::events::{
    Attempt, BlockEnd, BlockKind, BlockStart, Delta, Event, Failed, Finished, Notice, NoticeKind,
};
use llm_provider_guest::types::{Block, FinishReason, TextBlock, TurnId, Usage};

/// Says something in a turn.
pub(crate) fn say(out: &mut Vec<Effect>, turn: TurnId, event: Event) {
    out.push(Effect::Event(EventEffect(turn, event)));
}

pub(crate) fn attempt(number: u32) -> Event {
    Event::AttemptStarted(Attempt { number, model: None })
}

pub(crate) fn begin(index: u32) -> Event {
    Event::BlockStarted(BlockStart { index, kind: BlockKind::Text })
}

pub(crate) fn text(index: u32, text: &str) -> Event {
    Event::TextDelta(Delta { index, text: text.to_owned() })
}

pub(crate) fn thinking(index: u32) -> Event {
    Event::ThinkingDelta(Delta { index, text: "hm".to_owned() })
}

pub(crate) fn end(index: u32, text: &str) -> Event {
    Event::BlockFinished(BlockEnd { index, block: Block::Text(TextBlock { text: text.to_owned() }) })
}

pub(crate) fn notice(message: &str) -> Event {
    notice_of(NoticeKind::Other("test".to_owned()), message)
}

pub(crate) fn notice_of(kind: NoticeKind, message: &str) -> Event {
    Event::Notice(Notice { kind, message: message.to_owned() })
}

pub(crate) fn finished() -> Event {
    finished_after(Usage::default())
}

pub(crate) fn finished_after(usage: Usage) -> Event {
    let (model, provider_request_id) = (None, None);
    Event::Finished(Finished { reason: FinishReason::Stop, usage, model, provider_request_id })
}

pub(crate) fn cancelled() -> Event {
    Event::Failed(Failed { error: error(ErrorKind::Cancelled, "cancelled"), usage: Usage::default() })
}

pub(crate) fn error(kind: ErrorKind, message: &str) -> Error {
    Error {
        kind,
        message: message.to_owned(),
        hint: None,
        scope: ErrorScope::Request,
        http_status: None,
        provider_code: None,
        provider_request_id: None,
        retry_after: None,
        request_sent: false,
        output_seen: false,
        tools_ran: false,
        verdict: Verdict::Surface,
    }
}
