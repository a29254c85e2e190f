//! The queue of a turn's events on their way to its driver.

use crate::bindings::exports::llm::provider::provider::Turn;
use crate::bindings::llm::provider::events::Event;
use crate::effect::event_bytes;
use crate::error::{PluginFault, TurnError};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// What a turn's reader gets.
pub(crate) type TurnItem = Result<Event, TurnError>;

/// What the driver of a turn gets from an attempt. Ends with one last item.
pub(crate) type AttemptItem = Result<Event, AttemptEnd>;

/// An item in the queue of a driver, with the room it takes.
pub(crate) struct Queued {
    pub(crate) item: AttemptItem,
    pub(super) _room: Option<Room>,
}

/// Room for a large event among those that wait for a reader. It is free again when the event is read.
pub(crate) struct Room(#[expect(dead_code, reason = "given back by its drop")] OwnedSemaphorePermit);

/// What an event waits for.
pub(crate) struct Place {
    pub(super) reader: mpsc::Sender<Queued>,
    /// For a large one.
    pub(super) room: Option<(Arc<Semaphore>, u32)>,
}

impl Place {
    /// Waits until it is free, or nobody reads any more.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken.
    pub(crate) async fn free(&self) -> Option<Room> {
        drop(self.reader.reserve().await);
        let (room, kib) = self.room.as_ref()?;
        Arc::clone(room).acquire_many_owned(*kib).await.ok().map(Room)
    }
}

/// KiB that an event takes of the room for large ones. A queue's worth of small ones is no matter.
pub(super) fn kib(event: &Event) -> u32 {
    u32::try_from(event_bytes(event) >> 10).unwrap_or(u32::MAX)
}

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
