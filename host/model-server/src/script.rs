//! A script: replies in order, then a rule for all that follows.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::demo;
use crate::recorder::RecordedRequest;
use crate::reply::Reply;

/// Replies that wait in the queue at most: a test that wants more states a rule with [`Responder::with`].
pub const MAX_QUEUED: usize = 4096;

/// Requests kept for inspection unless the script says otherwise: more than one test sends, little when bodies are small.
const KEPT_REQUESTS: usize = 1024;

/// The longest echo or fixed delta, in characters: real providers send a few characters to a few words.
const ECHO_CHARS: usize = 12;

/// A rule that makes a reply from a request.
#[derive(Clone)]
pub struct Responder(Arc<dyn Fn(&RecordedRequest) -> Reply + Send + Sync>);

impl Responder {
    /// The built-in demo model.
    #[must_use]
    pub fn demo() -> Self {
        Self::with(demo::reply)
    }

    /// Says the last user prompt back, without the client's wrappers, in several deltas.
    #[must_use]
    pub fn echo() -> Self {
        Self::with(|request| Reply::text_by_chars(&request.last_prompt(), ECHO_CHARS))
    }

    /// The same reply to everyone.
    #[must_use]
    pub fn fixed(reply: Reply) -> Self {
        Self::with(move |_| reply.clone())
    }

    /// Any rule. It runs on the connection's task and should be quick; it may see what came before in the request's own
    /// conversation and number.
    pub fn with(rule: impl Fn(&RecordedRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    pub(crate) fn reply(&self, request: &RecordedRequest) -> Reply {
        (self.0)(request)
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Responder")
    }
}

impl From<Reply> for Responder {
    fn from(reply: Reply) -> Self {
        Self::fixed(reply)
    }
}

/// What a server does: the queued replies first, one per model request in the order of arrival, then the default.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) queue: VecDeque<Reply>,
    pub(crate) default: Responder,
    pub(crate) models: Vec<String>,
    pub(crate) kept: usize,
}

impl Script {
    /// A script with this default: a [`Reply`] or a [`Responder`].
    pub fn new(default: impl Into<Responder>) -> Self {
        let models = vec!["demo".to_owned()];
        Self { queue: VecDeque::new(), default: default.into(), models, kept: KEPT_REQUESTS }
    }

    /// The built-in demo model.
    #[must_use]
    pub fn demo() -> Self {
        Self::new(Responder::demo())
    }

    /// Echoes prompts.
    #[must_use]
    pub fn echo() -> Self {
        Self::new(Responder::echo())
    }

    /// Always answers this text, in several deltas.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(Reply::text_by_chars(text, ECHO_CHARS))
    }

    /// Always asks this rule.
    pub fn with(rule: impl Fn(&RecordedRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self::new(Responder::with(rule))
    }

    /// Queues a reply.
    #[must_use]
    pub fn then(mut self, reply: Reply) -> Self {
        self.queue.push_back(reply);
        self
    }

    /// The models that `GET /v1/models` and `GET /v1beta/models` list; `demo` unless given.
    #[must_use]
    pub fn models<I>(mut self, models: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.models = models.into_iter().map(Into::into).collect();
        self
    }

    /// How many requests the server keeps for inspection, 1,024 unless given; 0 keeps none.
    #[must_use]
    pub fn keep_requests(mut self, count: usize) -> Self {
        self.kept = count;
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::demo()
    }
}
