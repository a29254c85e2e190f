//! The body of a response, as a stream and as a whole.

use super::client::HttpError;
use bytes::Bytes;
use futures_core::Stream;
use llm_provider_http::{Event, Exchange};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// The body of a response. Dropping it gives the request up.
pub(crate) struct Body {
    events: mpsc::Receiver<Event>,
    _exchange: Exchange,
    ended: bool,
}

impl Body {
    pub(crate) fn new(events: mpsc::Receiver<Event>, exchange: Exchange) -> Self {
        Self { events, _exchange: exchange, ended: false }
    }

    /// All of it, and whether it was cut at `most` bytes.
    pub(crate) async fn read(mut self, most: usize) -> Result<(Vec<u8>, bool), HttpError> {
        let mut whole = Vec::new();
        while let Some(chunk) = poll_fn(|context| Pin::new(&mut self).poll_next(context)).await {
            whole.extend_from_slice(&chunk?);
            if whole.len() > most {
                whole.truncate(most);
                return Ok((whole, true));
            }
        }
        Ok((whole, false))
    }

    /// The same stream, ended by an event of more than `most` bytes.
    pub(crate) fn events(self, most: usize) -> Bounded {
        Bounded { body: self, most, size: 0, line: 0 }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let event = std::task::ready!(self.events.poll_recv(context));
        self.ended = !matches!(event, Some(Event::Chunk(_)));
        Poll::Ready(match event {
            Some(Event::Chunk(bytes)) => Some(Ok(bytes)),
            Some(Event::End) => None,
            Some(Event::Failed(failure)) => Some(Err(failure.into())),
            Some(Event::Response(_)) | None => Some(Err(HttpError::Interrupted)),
        })
    }
}

/// A stream of events, each of bounded size: the parser behind it keeps an event until its end, which is an empty line.
pub(crate) struct Bounded {
    body: Body,
    most: usize,
    /// Bytes of the event so far.
    size: usize,
    /// Bytes of the line so far.
    line: usize,
}

impl Bounded {
    fn fits(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            match byte {
                b'\n' if self.line == 0 => self.size = 0,
                b'\n' => self.line = 0,
                b'\r' => {}
                _ => self.line += 1,
            }
            self.size += 1;
            if self.size > self.most {
                return false;
            }
        }
        true
    }
}

impl Stream for Bounded {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(Pin::new(&mut self.body).poll_next(context));
        let Some(Ok(bytes)) = &item else { return Poll::Ready(item) };
        if self.fits(bytes) {
            return Poll::Ready(item);
        }
        self.body.ended = true;
        Poll::Ready(Some(Err(HttpError::TooLarge(self.most))))
    }
}
