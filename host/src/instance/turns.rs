//! The open turns of an instance, and the way of their events to the reader.

use super::contract::Contract;
use super::queue::{AttemptEnd, AttemptItem, Place, Queued, Room, kib};
use super::toolbox::Toolbox;
use crate::bindings::llm::provider::events::{Event, Failed};
use crate::bindings::llm::provider::types::{SessionId, TurnId, Usage};
use crate::deadline::Deadline;
use crate::error::PluginFault;
use crate::limits::Limits;
use crate::tasks::Task;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, error::TrySendError};

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
    pub(crate) reader: Option<mpsc::Sender<Queued>>,
    /// Room for large events that wait for the reader, in KiB.
    room: Arc<Semaphore>,
    /// All of it.
    room_kib: u32,
    /// Bytes of the conversation.
    pub(crate) bytes: usize,
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
        reader: mpsc::Sender<Queued>,
        tools: Arc<Toolbox>,
        deadline: Deadline,
        limits: &Limits,
    ) -> Self {
        // What one call may hand over fits.
        let room_kib = u32::try_from(limits.call_data_bytes >> 10).unwrap_or(u32::MAX >> 4).max(1);
        Self {
            session,
            reader: Some(reader),
            room: Arc::new(Semaphore::new(room_kib as usize)),
            room_kib,
            bytes: 0,
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
    pub(crate) fn awaited(&self, id: TurnId, event: &Event) -> Option<Place> {
        let turn = self.0.get(&id).filter(|turn| turn.cancelled.is_none())?;
        let kib = kib(event).min(turn.room_kib);
        let room = (kib > 0).then(|| (Arc::clone(&turn.room), kib));
        turn.reader.clone().map(|reader| Place { reader, room })
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
    pub(crate) fn deliver(&mut self, id: TurnId, event: Event, room: Option<Room>) -> Result<Delivered, PluginFault> {
        let Some(turn) = self.0.get_mut(&id) else {
            return Err(PluginFault::Contract(format!("it sent an event for turn {id}, which is not open")));
        };
        turn.contract.check(&event).map_err(|what| PluginFault::Contract(format!("turn {id}: {what}")))?;
        // It was not waited for: the turn is cancelled.
        let no_room = room.is_none() && kib(&event) > 0;
        let (items, last) = turn.items(event);
        if last {
            let reader = self.0.remove(&id).and_then(|turn| turn.reader);
            if let Some(reader) = reader {
                send_rest(reader, items);
            }
            return Ok(Delivered::Ended);
        }
        turn.behind |= no_room;
        let mut room = room;
        for item in items {
            let Some(reader) = turn.reader.as_ref().filter(|_| !turn.behind) else { break };
            match reader.try_send(Queued { item, _room: room.take() }) {
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
fn send_rest(reader: mpsc::Sender<Queued>, items: Vec<AttemptItem>) {
    let mut items = items.into_iter().map(|item| Queued { item, _room: None });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::llm::provider::events::{Notice, NoticeKind};
    use crate::session::TurnRequest;

    fn notice(bytes: usize) -> Event {
        Event::Notice(Notice { kind: NoticeKind::Opened, message: "x".repeat(bytes) })
    }

    /// One open turn, with room for 4 KiB of large events.
    fn open() -> (Turns, mpsc::Receiver<Queued>) {
        let limits = Limits { call_data_bytes: 4 << 10, ..Limits::default() };
        let tools = Arc::new(Toolbox::new(&TurnRequest::new(Vec::new()), &limits).expect("no tools"));
        let (reader, queue) = mpsc::channel(limits.turn_events);
        let mut turns = Turns::default();
        let deadline = Deadline::new(limits.turn_deadline);
        turns.insert(1, OpenTurn::new(1, reader, tools, deadline, &limits));
        (turns, queue)
    }

    #[tokio::test]
    async fn large_events_wait_for_room_and_small_ones_do_not() {
        let (mut turns, mut queue) = open();
        for bytes in [2_048, 2_048, 1_000, 1_000] {
            let room = turns.awaited(1, &notice(bytes)).expect("read").free().await;
            assert_eq!(room.is_some(), bytes > 1_024);
            assert_eq!(turns.deliver(1, notice(bytes), room), Ok(Delivered::Ok));
        }
        let place = turns.awaited(1, &notice(100_000)).expect("read");
        let mut waiting = Box::pin(place.free());
        for _ in 0..2 {
            assert!(poll_once(&mut waiting).is_none(), "larger than all the room: it waits for all of it");
            drop(queue.recv().await.expect("an event"));
        }
        let room = poll_once(&mut waiting).expect("room").expect("it takes some");
        assert_eq!(turns.deliver(1, notice(100_000), Some(room)), Ok(Delivered::Ok));
        assert!(poll_once(&mut Box::pin(turns.awaited(1, &notice(2_048)).expect("read").free())).is_none());
        drop(queue);
        let place = turns.awaited(1, &notice(2_048)).expect("still open");
        drop(poll_once(&mut Box::pin(place.free())).expect("nobody is waited for"));
    }

    #[test]
    fn what_finds_no_room_in_a_cancelled_turn_is_left_out_with_all_that_follows() {
        let (mut turns, mut queue) = open();
        turns.get_mut(1).expect("open").cancelled = Some(CancelCause::Owner);
        assert!(turns.awaited(1, &notice(2_048)).is_none(), "nobody waits for its reader");
        for bytes in [10, 2_048, 10] {
            assert_eq!(turns.deliver(1, notice(bytes), None), Ok(Delivered::Ok));
        }
        assert!(queue.try_recv().is_ok(), "the small one before");
        assert!(queue.try_recv().is_err());
    }

    fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
