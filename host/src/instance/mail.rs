//! What reaches an instance's actor from outside.

use super::queries::Query;
use super::turns::OpenTurn;
use crate::bindings::exports::llm::provider::provider::Turn;
use crate::bindings::llm::provider::types::{QueryId, SessionId, TurnId};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};

/// A message to the actor.
pub(crate) enum Mail {
    /// A question, with the place for its answer.
    StartTurn(Box<Turn>, Box<OpenTurn>),
    /// A question about the provider itself.
    Ask(QueryId, Query),
}

/// Signals that must get through from a `drop`, which cannot wait. Each turn and session signals at most twice, so the
/// lists are bounded by their numbers.
#[derive(Default)]
pub(crate) struct Signals {
    lists: Mutex<Lists>,
    pub(crate) wake: Notify,
    /// The instance was closed by its owner: nothing is asked of it any more, not even again.
    shut: AtomicBool,
    /// The actor is gone, with all it held.
    ended: watch::Sender<bool>,
}

#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) cancelled: Vec<TurnId>,
    pub(crate) closed: Vec<SessionId>,
}

impl Signals {
    pub(crate) fn cancel(&self, turn: TurnId) {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).cancelled.push(turn);
        self.wake.notify_one();
    }

    pub(crate) fn close(&self, session: SessionId) {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).closed.push(session);
        self.wake.notify_one();
    }

    /// Asks the actor to end.
    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Acquire)
    }

    /// Waits until the actor is gone.
    pub(crate) async fn ended(&self) {
        // The sender is held here, so this wait has one end only.
        drop(self.ended.subscribe().wait_for(|ended| *ended).await);
    }

    pub(crate) fn take(&self) -> Lists {
        std::mem::take(&mut *self.lists.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Says that the actor is gone when it is dropped, whatever ended it.
pub(super) struct EndsWithActor(pub(super) Arc<Signals>);

impl Drop for EndsWithActor {
    fn drop(&mut self) {
        self.0.ended.send_replace(true);
    }
}
