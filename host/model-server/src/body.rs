//! A reply's body on its way out: events or chunks, batched or cut, with the script's stops in between.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use hyper::body::{Body, Frame, SizeHint};

use crate::answer::Answer;
use crate::dialect::{Cursor, Encode, Piece};
use crate::recorder::{ReplyState, Ticket};
use crate::socket::Line;
use crate::stop::Action;

/// Bytes of a stream handed to hyper at once when nothing has to happen in between: a few pages, so that 100,000 deltas
/// cost some thousand writes.
const BATCH: usize = 16 * 1024;

/// The connection is to end before its HTTP message does.
#[derive(Debug, thiserror::Error)]
#[error("the script cuts the reply here")]
pub(crate) struct Broken;

/// The body type of all responses.
pub(crate) struct ReplyBody {
    frames: Pin<Box<dyn Stream<Item = Result<Bytes, Broken>> + Send>>,
    /// The length, for `content-length`; without it the body goes out in HTTP chunks.
    length: Option<u64>,
}

impl ReplyBody {
    /// A body that no script drives.
    pub(crate) fn full(bytes: Bytes) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        Self { frames: Box::pin(stream::iter([Ok(bytes)])), length }
    }

    pub(crate) fn scripted(writer: Writer, length: Option<u64>) -> Self {
        let frames = stream::unfold(writer, async |mut writer| writer.next().await.map(|item| (item, writer)));
        Self { frames: Box::pin(frames), length }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.frames.as_mut().poll_next(cx).map(|item| item.map(|bytes| bytes.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// Where a body's bytes come from.
pub(crate) enum Source {
    /// A dialect's events, made one at a time.
    Events { answer: Answer, cursor: Cursor, encoder: Box<dyn Encode> },
    /// Ready bytes; each chunk counts as a delta.
    Chunks(VecDeque<Bytes>),
}

/// What a step of a source was.
enum Step {
    Delta,
    Other,
    Done,
}

impl Source {
    fn step(&mut self, out: &mut BytesMut) -> Step {
        match self {
            Self::Events { answer, cursor, encoder } => {
                let Some(piece) = cursor.advance(answer) else { return Step::Done };
                encoder.piece(piece, out);
                if matches!(piece, Piece::Delta { .. }) { Step::Delta } else { Step::Other }
            }
            Self::Chunks(chunks) => {
                let Some(chunk) = chunks.pop_front() else { return Step::Done };
                out.extend_from_slice(&chunk);
                Step::Delta
            }
        }
    }

    /// Whether the place "after 0 deltas" is reached.
    fn opened(&self) -> bool {
        match self {
            Self::Events { cursor, .. } => cursor.opened(),
            Self::Chunks(_) => true,
        }
    }

    /// Whether no byte is to come, as far as that is known without a further step.
    fn exhausted(&self) -> bool {
        matches!(self, Self::Chunks(chunks) if chunks.is_empty())
    }

    /// Whether all content is out: the place "after more deltas than there are".
    fn at_end(&self) -> bool {
        match self {
            Self::Events { answer, cursor, .. } => cursor.at_end(answer),
            Self::Chunks(chunks) => chunks.is_empty(),
        }
    }
}

/// How a body is over.
#[derive(Clone, Copy)]
enum Over {
    /// The HTTP message ends properly.
    Ended(ReplyState),
    /// The connection breaks.
    Broken,
}

/// Writes one reply's body.
pub(crate) struct Writer {
    source: Source,
    /// By place, in the script's order.
    stops: VecDeque<(usize, Action)>,
    pace: Option<Duration>,
    split: Option<usize>,
    line: Arc<Line>,
    ticket: Ticket,
    deltas: usize,
    out: BytesMut,
    /// A delta was written and the pace asks for a pause.
    resting: bool,
    /// A piece of a split body is under way.
    wrote: bool,
    over: Option<Over>,
}

impl Writer {
    pub(crate) fn new(source: Source, stops: VecDeque<(usize, Action)>, line: Arc<Line>, ticket: Ticket) -> Self {
        Self {
            source,
            stops,
            pace: None,
            split: None,
            line,
            ticket,
            deltas: 0,
            out: BytesMut::new(),
            resting: false,
            wrote: false,
            over: None,
        }
    }

    pub(crate) fn timing(mut self, pace: Option<Duration>, split: Option<usize>) -> Self {
        (self.pace, self.split) = (pace, split);
        self
    }

    /// The next bytes to send, or the end.
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        loop {
            if self.out.len() >= self.split.unwrap_or(BATCH) || (!self.out.is_empty() && self.must_send()) {
                return Some(Ok(self.emit().await));
            }
            match self.over {
                Some(Over::Ended(state)) => {
                    self.ticket.end(state);
                    return None;
                }
                Some(Over::Broken) => {
                    self.ticket.end(ReplyState::Cut);
                    return Some(Err(Broken));
                }
                None => self.advance().await,
            }
        }
    }

    /// Whether something comes now that what was written before must not wait for.
    fn must_send(&self) -> bool {
        self.over.is_some() || self.resting || self.stop_is_due()
    }

    async fn advance(&mut self) {
        if let Some(pace) = self.pace.filter(|_| self.resting) {
            tokio::time::sleep(pace).await;
            self.resting = false;
        } else if let Some((_, action)) = self.stop_is_due().then(|| self.stops.pop_front()).flatten() {
            self.line.flushed().await;
            self.perform(action).await;
        } else {
            match self.source.step(&mut self.out) {
                Step::Delta => {
                    self.deltas = self.deltas.saturating_add(1);
                    self.resting = self.pace.is_some();
                }
                Step::Other => {}
                Step::Done => self.over = Some(Over::Ended(ReplyState::Finished)),
            }
            // hyper does not ask again after the last byte of a body of known length: the end must be known with it.
            if self.source.exhausted() && self.stops.is_empty() {
                self.over = Some(Over::Ended(ReplyState::Finished));
            }
        }
    }

    fn stop_is_due(&self) -> bool {
        let reached = |deltas: usize| self.source.opened() && (self.deltas >= deltas || self.source.at_end());
        self.stops.front().is_some_and(|(deltas, _)| reached(*deltas))
    }

    async fn perform(&mut self, action: Action) {
        match action {
            Action::Pause(pause) => tokio::time::sleep(pause).await,
            Action::Gate(gate) => gate.pass().await,
            Action::Hang => std::future::pending().await,
            Action::Reset => {
                self.line.reset_at_end();
                self.over = Some(Over::Broken);
            }
            Action::Close => self.over = Some(Over::Broken),
            Action::Truncate => self.over = Some(Over::Ended(ReplyState::Cut)),
            Action::Fail(error) => {
                if let Source::Events { encoder, .. } = &mut self.source {
                    encoder.failure(&error, &mut self.out);
                }
                self.over = Some(Over::Ended(ReplyState::Finished));
            }
        }
    }

    async fn emit(&mut self) -> Bytes {
        let Some(split) = self.split else {
            let all = self.out.split().freeze();
            self.end_with_last_byte();
            return all;
        };
        if std::mem::replace(&mut self.wrote, true) {
            self.line.flushed().await;
        }
        let piece = self.out.split_to(split.min(self.out.len())).freeze();
        self.end_with_last_byte();
        piece
    }

    /// Tells the end with the last byte instead of after it, see [`Writer::advance`].
    fn end_with_last_byte(&mut self) {
        if let Some(Over::Ended(state)) = self.over.filter(|_| self.out.is_empty()) {
            self.ticket.end(state);
        }
    }
}
