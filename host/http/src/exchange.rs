//! A request under way, and where its events go.

use std::future::{Future, pending};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::request::Event;

/// Nobody wants the events any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody wants the events any more")]
pub struct Closed;

/// Where the events of a request go. A bounded [`mpsc::Sender`] is one; a host that tags events with the request's id
/// writes its own around its mailbox.
pub trait EventSink: Send + Sync + 'static {
    /// Takes an event, once there is room. Nothing is read from the socket meanwhile.
    ///
    /// # Errors
    ///
    /// [`Closed`] gives the request up.
    fn deliver(&self, event: Event) -> impl Future<Output = Result<(), Closed>> + Send;

    /// Completes when nobody wants the events any more, which gives the request up at once. Never, by default: then
    /// the next event tells.
    fn closed(&self) -> impl Future<Output = ()> + Send {
        pending()
    }
}

impl EventSink for mpsc::Sender<Event> {
    async fn deliver(&self, event: Event) -> Result<(), Closed> {
        self.send(event).await.map_err(|_| Closed)
    }

    async fn closed(&self) {
        Self::closed(self).await;
    }
}

/// A request under way. Dropping it gives the request up: its connection is closed, and no further event is delivered.
#[must_use = "dropping it gives the request up"]
#[derive(Debug)]
pub struct Exchange {
    task: JoinHandle<()>,
}

impl Exchange {
    /// The one place where a task is started.
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { task: tokio::spawn(work) }
    }

    /// True once the last event was delivered, or the request was given up.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.task.abort();
    }
}
