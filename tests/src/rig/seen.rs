//! What the caller of a turn saw.

use crate::watch;
use llm_provider_host::wit::events::{Finished, NoticeKind};
use llm_provider_host::{Block, Event, ProviderError, Turn, TurnError};

/// Everything a turn said.
#[derive(Debug, Default)]
pub struct Seen {
    /// All events, in order.
    pub events: Vec<Event>,
    /// The text of the current attempt, put together from deltas.
    pub text: String,
    /// The thinking of the current attempt.
    pub thinking: String,
    /// How it failed, if it did.
    pub error: Option<TurnError>,
}

/// Reads a turn to its end.
///
/// # Panics
/// When something comes after its last item, or it ends without one.
pub async fn read(mut turn: Turn) -> Seen {
    let mut seen = Seen::default();
    while let Some(item) = turn.next().await {
        assert!(!seen.ended(), "{item:?} came after the last item");
        match item {
            Ok(event) => seen.note(event),
            Err(error) => seen.error = Some(error),
        }
    }
    assert!(seen.ended(), "the turn ended without a last item");
    watch::told(&seen);
    seen
}

impl Seen {
    fn ended(&self) -> bool {
        self.error.is_some() || self.finished().is_some()
    }

    /// Takes an event.
    pub fn note(&mut self, event: Event) {
        match &event {
            Event::AttemptStarted(_) => {
                self.text.clear();
                self.thinking.clear();
            }
            Event::TextDelta(delta) => self.text.push_str(&delta.text),
            Event::ThinkingDelta(delta) => self.thinking.push_str(&delta.text),
            _ => {}
        }
        self.events.push(event);
    }

    /// The last event, if the turn was answered.
    #[must_use]
    pub fn finished(&self) -> Option<&Finished> {
        match self.events.last() {
            Some(Event::Finished(finished)) => Some(finished),
            _ => None,
        }
    }

    /// The end of an answered turn.
    ///
    /// # Panics
    /// When it was not answered.
    pub fn answered(&self) -> &Finished {
        self.finished().unwrap_or_else(|| panic!("not answered: {:?}\nafter {:#?}", self.error, self.events))
    }

    /// The provider's error of a failed turn.
    ///
    /// # Panics
    /// When it did not fail, or not by the provider.
    pub fn failure(&self) -> &ProviderError {
        let error = self.error.as_ref().unwrap_or_else(|| panic!("no failure: {:#?}", self.events));
        error.provider().unwrap_or_else(|| panic!("not the provider's: {error:?}"))
    }

    /// The kinds of the events in order, runs of one kind and notices left out.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self.events.iter().map(kind).filter(|kind| *kind != "notice").collect();
        kinds.dedup();
        kinds
    }

    /// How many events of a kind there were.
    #[must_use]
    pub fn count(&self, wanted: &str) -> usize {
        self.events.iter().filter(|event| kind(event) == wanted).count()
    }

    /// The kinds of the notices in order, but for the plain decisions about a session: that it was opened, or goes on.
    #[must_use]
    pub fn notices(&self) -> Vec<&NoticeKind> {
        self.all_notices().filter(|kind| !matches!(kind, NoticeKind::Opened | NoticeKind::Continued)).collect()
    }

    /// What was decided about the turn's session.
    #[must_use]
    pub fn decisions(&self) -> Vec<&NoticeKind> {
        use NoticeKind::{Continued, Opened, ReSeeded, Resumed};
        self.all_notices().filter(|kind| matches!(kind, Opened | Continued | Resumed | ReSeeded)).collect()
    }

    fn all_notices(&self) -> impl Iterator<Item = &NoticeKind> {
        self.events.iter().filter_map(|event| match event {
            Event::Notice(notice) => Some(&notice.kind),
            _ => None,
        })
    }

    /// Whether there was a notice of this kind.
    #[must_use]
    pub fn noticed(&self, wanted: &NoticeKind) -> bool {
        self.all_notices().any(|kind| format!("{kind:?}") == format!("{wanted:?}"))
    }

    /// The finished blocks of the last attempt, in order.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block> {
        let begin = self.events.iter().rposition(|event| matches!(event, Event::AttemptStarted(_))).unwrap_or(0);
        let block = |event: &Event| if let Event::BlockFinished(end) = event { Some(end.block.clone()) } else { None };
        self.events[begin..].iter().filter_map(block).collect()
    }

    /// The text of the finished blocks of the last attempt.
    #[must_use]
    pub fn block_text(&self) -> String {
        let text = |block| if let Block::Text(text) = block { Some(text.text) } else { None };
        self.blocks().into_iter().filter_map(text).collect()
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::AttemptStarted(_) => "attempt-started",
        Event::BlockStarted(_) => "block-started",
        Event::TextDelta(_) => "text-delta",
        Event::ThinkingDelta(_) => "thinking-delta",
        Event::ToolArgumentsDelta(_) => "tool-arguments-delta",
        Event::BlockFinished(_) => "block-finished",
        Event::ToolAnswered(_) => "tool-answered",
        Event::Usage(_) => "usage",
        Event::Notice(_) => "notice",
        Event::AttemptAbandoned(_) => "attempt-abandoned",
        Event::Finished(_) => "finished",
        Event::Failed(_) => "failed",
    }
}
