//! A running turn: a stream of events that ends with exactly one last item.

use crate::answer::Answer;
use crate::bindings::llm::provider::events::{Event, Finished};
use crate::bindings::llm::provider::types::Message;
use crate::error::{HostError, TurnError};
use crate::instance::TurnItem;
use crate::retry::{Control, Driver};
use crate::session::History;
use futures_core::Stream;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};

/// A turn. Its stream ends with one last item: `Ok(Event::Finished(..))` or `Err(..)`, and nothing comes after it. A failure
/// that nobody has seen anything of yet may lead to another attempt ([`crate::TurnRequest::retry`]): the stream goes on,
/// with a notice of kind `retry`.
/// Dropping it cancels it.
pub struct Turn {
    driver: Driver,
    answer: Answer,
    /// Where the answer is kept.
    keep: Option<History>,
    ended: bool,
}

/// Cancels a turn from elsewhere, such as a handler of Ctrl-C.
#[derive(Clone)]
pub struct Canceller(Arc<Control>);

impl Canceller {
    /// Asks for the turn to end. It still ends with its one last item: an error of kind `cancelled`, or the answer if it
    /// was faster.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl Turn {
    pub(crate) fn new(driver: Driver, keep: Option<History>) -> Self {
        Self { driver, answer: Answer::default(), keep, ended: false }
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

    /// The answer so far: the finished blocks of the current attempt, in order, as one message. What tools answered is
    /// not in it: for a history, [`Turn::messages`] is better.
    #[must_use]
    pub fn message(&self) -> Message {
        self.answer.message()
    }

    /// After `Finished`, what belongs into the history: each message of the model, followed by the results of those of its
    /// calls that the host ran.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.answer.messages()
    }

    /// A handle that cancels this turn.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(self.driver.control()))
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<TurnItem>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = ready!(self.driver.poll(context));
        self.note(&item);
        Poll::Ready(Some(item))
    }

    fn note(&mut self, item: &TurnItem) {
        match item {
            Ok(Event::Finished(_)) => {
                self.ended = true;
                self.keep_answer();
            }
            Ok(event) => self.answer.note(event),
            Err(_) => self.ended = true,
        }
    }

    fn keep_answer(&mut self) {
        if let Some(history) = self.keep.take() {
            let mut asked = self.driver.history().to_vec();
            asked.extend(self.messages());
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
            self.driver.control().cancel();
        }
    }
}
