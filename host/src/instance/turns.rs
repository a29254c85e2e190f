//! The open turns of an instance, and the way of their events to the reader.

use super::contract::Contract;
use super::toolbox::Toolbox;
use crate::bindings::exports::llm::provider::provider::Turn;
use crate::bindings::llm::provider::events::{Event, Failed};
use crate::bindings::llm::provider::types::{SessionId, TurnId, Usage};
use crate::deadline::Deadline;
use crate::error::{PluginFault, TurnError};
use crate::tasks::Task;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{self, error::TrySendError};

/// What a turn's reader gets.
pub(crate) type TurnItem = Result<Event, TurnError>;

/// What the driver of a turn gets from an attempt. Ends with one last item.
pub(crate) type AttemptItem = Result<Event, AttemptEnd>;

/// How an attempt ended that did not finish.
#[derive(Debug)]
pub(crate) enum AttemptEnd {
    Failed(TurnError),
    /// Its instance ended under something else before the plugin heard of it. Any other instance may be asked: here is the
    /// question, and the fault.
    NotAsked(Box<Turn>, PluginFault),
}

impl<E: Into<TurnError>> From<E> for AttemptEnd {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Why the host asked the plugin to end a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelCause {
    /// Its owner cancelled it, or dropped it.
    Owner,
    /// It ran too long.
    Deadline,
}

/// The calls of tools that ran or run, by their ids. Shared by the attempts of a turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Called(Arc<Mutex<BTreeSet<String>>>);

impl Called {
    /// Notes a call; false when it was noted before.
    pub(crate) fn insert(&self, id: String) -> bool {
        self.ids().insert(id)
    }

    /// Whether a call was noted.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.ids().contains(id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids().is_empty()
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn the plugin has been given and has not ended.
pub(crate) struct OpenTurn {
    pub(crate) session: SessionId,
    /// `None` once the reader is gone; the plugin still has to end the turn.
    pub(crate) reader: Option<mpsc::Sender<AttemptItem>>,
    pub(crate) tools: Arc<Toolbox>,
    pub(crate) deadline: Deadline,
    pub(crate) cancelled: Option<CancelCause>,
    /// Tools that run, by call.
    pub(crate) running: BTreeMap<String, Task>,
    /// Permissions that wait for their decision, by request.
    pub(crate) asked: BTreeMap<String, Task>,
    /// Calls that ran or run: none runs twice.
    pub(crate) called: Called,
    /// Something was left out, since the turn is cancelled and its reader's queue was full: nothing but its last item
    /// makes sense any more.
    behind: bool,
    contract: Contract,
    /// The usage the plugin has reported so far.
    reported: Usage,
}

impl OpenTurn {
    pub(crate) fn new(
        session: SessionId,
        reader: mpsc::Sender<AttemptItem>,
        tools: Arc<Toolbox>,
        deadline: Deadline,
    ) -> Self {
        Self {
            session,
            reader: Some(reader),
            tools,
            deadline,
            cancelled: None,
            running: BTreeMap::new(),
            asked: BTreeMap::new(),
            called: Called::default(),
            behind: false,
            contract: Contract::default(),
            reported: Usage::default(),
        }
    }

    /// Ends it with an error.
    pub(crate) fn end(self, error: impl Into<AttemptEnd>) {
        if let Some(reader) = self.reader {
            send_rest(reader, vec![Err(error.into())]);
        }
    }

    /// The items an event leads to, and whether it is the last.
    fn items(&self, event: Event) -> (Vec<AttemptItem>, bool) {
        match event {
            Event::Failed(failed) => (self.failed(failed), true),
            Event::Finished(_) => (vec![Ok(event)], true),
            other => (vec![Ok(other)], false),
        }
    }

    fn failed(&self, failed: Failed) -> Vec<AttemptItem> {
        let error = match self.cancelled {
            Some(CancelCause::Deadline) => self.deadline.passed().into(),
            Some(CancelCause::Owner) | None => failed.error.into(),
        };
        let spent = (failed.usage != Usage::default()).then_some(Ok(Event::Usage(failed.usage)));
        spent.into_iter().chain([Err(error)]).collect()
    }
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// The reader has it, or will.
    Ok,
    /// It was the turn's last.
    Ended,
    /// Nobody reads any more.
    ReaderGone,
}

#[derive(Default)]
pub(crate) struct Turns(BTreeMap<TurnId, OpenTurn>);

impl Turns {
    pub(crate) fn insert(&mut self, id: TurnId, turn: OpenTurn) {
        self.0.insert(id, turn);
    }

    pub(crate) fn get_mut(&mut self, id: TurnId) -> Option<&mut OpenTurn> {
        self.0.get_mut(&id)
    }

    /// Takes out a turn that the plugin has not heard of.
    pub(crate) fn take(&mut self, id: TurnId) -> Option<OpenTurn> {
        self.0.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn of_session(&self, session: SessionId) -> Vec<TurnId> {
        self.0.iter().filter(|(_, turn)| turn.session == session).map(|(id, _)| *id).collect()
    }

    pub(crate) fn ids(&self) -> Vec<TurnId> {
        self.0.keys().copied().collect()
    }

    /// The reader to wait for before the next event of a turn; none when it is gone, or the turn is cancelled: nobody
    /// waits for the reader of a turn that was given up.
    pub(crate) fn awaited(&self, id: TurnId) -> Option<mpsc::Sender<AttemptItem>> {
        let turn = self.0.get(&id).filter(|turn| turn.cancelled.is_none())?;
        turn.reader.clone()
    }

    /// What an open turn had cost before an event that reports it, and what it has cost by it.
    pub(crate) fn spent(&mut self, id: TurnId, event: &Event) -> Option<(Usage, Usage)> {
        let now = match event {
            Event::Usage(usage) => *usage,
            Event::Finished(finished) => finished.usage,
            Event::Failed(failed) => failed.usage,
            _ => return None,
        };
        let turn = self.0.get_mut(&id)?;
        Some((std::mem::replace(&mut turn.reported, now), now))
    }

    /// Hands an event to the turn's reader, in whose queue there is room. Where there is none the turn is cancelled: what
    /// does not fit is left out then, up to the last item, which waits for the reader on its own.
    pub(crate) fn deliver(&mut self, id: TurnId, event: Event) -> Result<Delivered, PluginFault> {
        let Some(turn) = self.0.get_mut(&id) else {
            return Err(PluginFault::Contract(format!("it sent an event for turn {id}, which is not open")));
        };
        turn.contract.check(&event).map_err(|what| PluginFault::Contract(format!("turn {id}: {what}")))?;
        let (items, last) = turn.items(event);
        if last {
            let reader = self.0.remove(&id).and_then(|turn| turn.reader);
            if let Some(reader) = reader {
                send_rest(reader, items);
            }
            return Ok(Delivered::Ended);
        }
        for item in items {
            let Some(reader) = turn.reader.as_ref().filter(|_| !turn.behind) else { break };
            match reader.try_send(item) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => turn.behind = true,
                Err(TrySendError::Closed(_)) => {
                    turn.reader = None;
                    return Ok(Delivered::ReaderGone);
                }
            }
        }
        Ok(Delivered::Ok)
    }

    /// Ends every turn with the same fault. Readers that have fallen behind get it when they catch up.
    pub(crate) fn end_all(self, fault: &PluginFault) {
        self.0.into_values().for_each(|turn| turn.end(fault.clone()));
    }
}

/// Hands over all that is left of a turn, later if its queue is full now.
fn send_rest(reader: mpsc::Sender<AttemptItem>, items: Vec<AttemptItem>) {
    let mut items = items.into_iter();
    while let Some(item) = items.next() {
        match reader.try_send(item) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return,
            Err(TrySendError::Full(item)) => {
                crate::tasks::spawn_actor(async move {
                    for item in std::iter::once(item).chain(items) {
                        drop(reader.send(item).await);
                    }
                });
                return;
            }
        }
    }
}
