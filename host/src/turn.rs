//! A running turn: a stream of events that ends with exactly one last item.

use crate::bindings::llm::provider::events::{Event, Finished};
use crate::bindings::llm::provider::types::{Block, Message, Role, TurnId};
use crate::error::{HostError, TurnError};
use crate::instance::{Instance, Signals, TurnItem};
use crate::session::History;
use futures_core::Stream;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// A turn. Its stream ends with one last item: `Ok(Event::Finished(..))` or `Err(..)`, and nothing comes after it.
/// Dropping it cancels it.
pub struct Turn {
    id: TurnId,
    stream: mpsc::Receiver<TurnItem>,
    signals: Arc<Signals>,
    /// Keeps the sidecar alive while somebody waits for an answer.
    _instance: Instance,
    blocks: BTreeMap<u32, Block>,
    /// Where the answer is kept, and what it answers.
    keep: Option<(History, Vec<Message>)>,
    ended: bool,
}

/// Cancels a turn from elsewhere, such as a handler of Ctrl-C.
#[derive(Clone)]
pub struct Canceller {
    id: TurnId,
    signals: Arc<Signals>,
}

impl Canceller {
    /// Asks for the turn to end. It still ends with its one last item: an error of kind `cancelled`, or the answer if it
    /// was faster.
    pub fn cancel(&self) {
        self.signals.cancel(self.id);
    }
}

impl Turn {
    pub(crate) fn new(
        id: TurnId,
        stream: mpsc::Receiver<TurnItem>,
        signals: Arc<Signals>,
        instance: Instance,
        keep: Option<(History, Vec<Message>)>,
    ) -> Self {
        Self { id, stream, signals, _instance: instance, blocks: BTreeMap::new(), keep, ended: false }
    }

    /// The next item; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: no item is lost.
    pub async fn next(&mut self) -> Option<Result<Event, TurnError>> {
        std::future::poll_fn(|context| self.poll_item(context)).await
    }

    /// Reads the turn to its end.
    ///
    /// # Errors
    /// The turn's last item, if it is one.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the turn.
    pub async fn finish(mut self) -> Result<(Message, Finished), TurnError> {
        while let Some(item) = self.next().await {
            if let Event::Finished(finished) = item? {
                return Ok((self.message(), finished));
            }
        }
        Err(HostError::Closed.into())
    }

    /// The answer so far: the finished blocks of the current attempt, in order. After `Finished`, the message that
    /// belongs into the history.
    #[must_use]
    pub fn message(&self) -> Message {
        Message { role: Role::Assistant, blocks: self.blocks.values().cloned().collect() }
    }

    /// A handle that cancels this turn.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller { id: self.id, signals: Arc::clone(&self.signals) }
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<TurnItem>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // A channel that closes without a last item: the instance was closed under the turn.
        let item = ready!(self.stream.poll_recv(context)).unwrap_or_else(|| Err(HostError::Closed.into()));
        self.note(&item);
        Poll::Ready(Some(item))
    }

    fn note(&mut self, item: &TurnItem) {
        match item {
            Ok(Event::AttemptStarted(_)) => self.blocks.clear(),
            Ok(Event::BlockFinished(end)) => drop(self.blocks.insert(end.index, end.block.clone())),
            Ok(Event::Finished(_)) => {
                self.ended = true;
                self.keep_answer();
            }
            Ok(_) => {}
            Err(_) => self.ended = true,
        }
    }

    fn keep_answer(&mut self) {
        if let Some((history, mut asked)) = self.keep.take() {
            asked.push(self.message());
            *history.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        }
    }
}

impl Stream for Turn {
    type Item = Result<Event, TurnError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(context)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.ended {
            self.signals.cancel(self.id);
        }
    }
}
