//! What the server saw: a bounded ring of requests and how each one ended.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;

use crate::conversation::{self, Message, Role, field};
use crate::demo::last_prompt;
use crate::dialect::Dialect;
use crate::prompt::unwrap_prompt;
use crate::target::Target;

/// One request to a model, as it came, and what became of its reply by the time of the snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// Counts the server's model requests from 1.
    pub number: u64,
    /// The dialect of the path.
    pub dialect: Dialect,
    /// Path and query as sent.
    pub path: String,
    /// The headers in the order of arrival, names in lower case; values that are no UTF-8 are shown lossily.
    pub headers: Vec<(String, String)>,
    /// The body; `null` when it was not JSON.
    pub body: Arc<Value>,
    /// The body's length in bytes.
    pub body_bytes: usize,
    /// When the whole request had arrived.
    pub at: Instant,
    /// Whether the reply is still going on.
    pub state: ReplyState,
    /// When it ended.
    pub ended_at: Option<Instant>,
    target: Target,
}

/// What became of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyState {
    /// Still being written, or waiting at a gate, a pause or a hang.
    Open,
    /// All of it was handed to the connection.
    Finished,
    /// The client closed the connection before the reply ended: its abort reached the server.
    Disconnected,
    /// A scripted fault cut the reply: reset, close or truncation.
    Cut,
    /// The server was dropped first.
    ServerStopped,
}

impl RecordedRequest {
    /// Whether the reply is still going on.
    #[must_use]
    pub fn open(&self) -> bool {
        self.state == ReplyState::Open
    }

    /// When the client closed the connection, if it did so before the reply ended.
    #[must_use]
    pub fn disconnected_at(&self) -> Option<Instant> {
        self.ended_at.filter(|_| self.state == ReplyState::Disconnected)
    }

    /// The first header of this name; the name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The model asked for.
    #[must_use]
    pub fn model(&self) -> &str {
        match &self.target {
            Target::Gemini { model, .. } => model,
            Target::Body(_) => field(&self.body, "model").as_str().unwrap_or_default(),
        }
    }

    /// Whether a stream is asked for.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        match &self.target {
            Target::Gemini { stream, .. } => *stream,
            Target::Body(_) => field(&self.body, "stream").as_bool().unwrap_or_default(),
        }
    }

    /// The conversation, the same for the same conversation in any dialect, the system prompt first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        conversation::read(self.dialect, &self.body)
    }

    /// Role and text of every message but the system prompt; users' prompts without the client's wrappers.
    #[must_use]
    pub fn dialogue(&self) -> Vec<(Role, String)> {
        let line = |message: Message| match message.role {
            Role::System => None,
            Role::User => Some((Role::User, unwrap_prompt(&message.text).to_owned())),
            role => Some((role, message.text)),
        };
        self.messages().into_iter().filter_map(line).collect()
    }

    /// The system prompt; empty when there is none.
    #[must_use]
    pub fn system(&self) -> String {
        let system = self.messages().into_iter().filter(|message| message.role == Role::System);
        system.map(|message| message.text).collect()
    }

    /// The last user prompt without the client's wrappers; empty when there is none.
    #[must_use]
    pub fn last_prompt(&self) -> String {
        last_prompt(&self.messages()).to_owned()
    }

    /// The names of the tools on offer.
    #[must_use]
    pub fn tools(&self) -> Vec<String> {
        conversation::tools(&self.body)
    }
}

/// Bytes of bodies that the ring keeps at most: two of the largest bodies, or the latest request alone.
const KEPT_BYTES: usize = 2 * crate::serve::MAX_BODY;

/// The ring, shared by the server's connections.
#[derive(Debug)]
pub(crate) struct Recorder {
    ring: Mutex<Ring>,
    /// Changes whenever the ring does. The value itself means nothing.
    changes: watch::Sender<u64>,
    stopping: AtomicBool,
}

#[derive(Debug)]
struct Ring {
    kept: VecDeque<RecordedRequest>,
    bytes: usize,
    seen: u64,
    capacity: usize,
}

/// A request before it has a number.
pub(crate) struct Arrival {
    pub(crate) target: Target,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    pub(crate) body_bytes: usize,
}

impl Recorder {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        let ring = Ring { kept: VecDeque::new(), bytes: 0, seen: 0, capacity };
        Arc::new(Self { ring: Mutex::new(ring), changes: watch::Sender::new(0), stopping: AtomicBool::new(false) })
    }

    /// Records a request. The ticket tells how its reply ends.
    pub(crate) fn record(self: &Arc<Self>, arrival: Arrival) -> (RecordedRequest, Ticket) {
        let mut ring = self.ring();
        ring.seen = ring.seen.saturating_add(1);
        let request = RecordedRequest {
            number: ring.seen,
            dialect: arrival.target.dialect(),
            path: arrival.path,
            headers: arrival.headers,
            body: Arc::new(arrival.body),
            body_bytes: arrival.body_bytes,
            at: Instant::now(),
            state: ReplyState::Open,
            ended_at: None,
            target: arrival.target,
        };
        ring.keep(request.clone());
        drop(ring);
        self.changed();
        let ticket = Ticket { recorder: Arc::clone(self), number: request.number, ended: false };
        (request, ticket)
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.ring().kept.iter().cloned().collect()
    }

    pub(crate) fn seen(&self) -> u64 {
        self.ring().seen
    }

    /// From now on a reply that does not end was stopped by the server, not by its client.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits until `wanted` holds; the number of requests seen so far when it did not come true in time.
    pub(crate) async fn wait(
        &self,
        timeout: Duration,
        mut wanted: impl FnMut(&[RecordedRequest], u64) -> bool,
    ) -> Result<Vec<RecordedRequest>, u64> {
        let mut changes = self.changes.subscribe();
        let holds = async {
            loop {
                // Marked as seen before looking, so that a change in between wakes the wait below.
                changes.borrow_and_update();
                let (requests, seen) = (self.requests(), self.seen());
                if wanted(&requests, seen) || changes.changed().await.is_err() {
                    return requests;
                }
            }
        };
        tokio::time::timeout(timeout, holds).await.map_err(|_| self.seen())
    }

    fn end(&self, number: u64, state: ReplyState) {
        let mut ring = self.ring();
        if let Some(request) = ring.kept.iter_mut().rfind(|request| request.number == number) {
            request.state = state;
            request.ended_at = Some(Instant::now());
        }
        drop(ring);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // No code that can panic runs under this lock, and a ring half-changed would still be a ring.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn keep(&mut self, request: RecordedRequest) {
        self.bytes = self.bytes.saturating_add(request.body_bytes);
        self.kept.push_back(request);
        while self.kept.len() > self.capacity || (self.bytes > KEPT_BYTES && self.kept.len() > 1) {
            let gone = self.kept.pop_front().map_or(0, |request| request.body_bytes);
            self.bytes = self.bytes.saturating_sub(gone);
        }
    }
}

/// Stands for one reply; when it is dropped before [`Ticket::end`] the client has left (or the server ends).
#[derive(Debug)]
pub(crate) struct Ticket {
    recorder: Arc<Recorder>,
    number: u64,
    ended: bool,
}

impl Ticket {
    pub(crate) fn end(&mut self, state: ReplyState) {
        if !std::mem::replace(&mut self.ended, true) {
            self.recorder.end(self.number, state);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let stopping = self.recorder.stopping.load(Ordering::Relaxed);
        self.end(if stopping { ReplyState::ServerStopped } else { ReplyState::Disconnected });
    }
}
