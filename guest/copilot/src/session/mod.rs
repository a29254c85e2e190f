//! A conversation, and the turn that runs in it.

mod events;
mod finish;
mod permission;
mod stream;
mod tools;

pub(crate) use events::{Outcome, StillRunning, is_ignored};
pub(crate) use stream::Stream;
pub(crate) use tools::Tools;

use crate::failure::{Attempt, Failure};
use crate::options::Options;
use crate::reconcile::Server;
use llm_provider_core::digest::{Chain, Fields};
use llm_provider_core::turn::Turn;
use llm_provider_guest::types::{FinishReason, Instant, SessionId};

/// How long after a failure was told the CLI may take to fall silent: it takes 15 ms.
const AFTER_FAILURE: u64 = 5_000;

/// Why a conversation has no server session, where it had one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The sidecar ended.
    Crash,
    /// The last turn did not end well, or the server changed the history.
    Spoilt,
}

/// A conversation.
#[derive(Debug)]
pub(crate) struct Session {
    /// As the host names it.
    pub(crate) id: SessionId,
    /// Server sessions so far, so that no name is used twice.
    generation: u64,
    /// The server session, while its history is known and no turn runs in it.
    pub(crate) server: Option<Server>,
    /// Why there is none, where there was one.
    pub(crate) lost: Option<Lost>,
    /// The turn that runs.
    pub(crate) run: Option<Run>,
}

impl Session {
    /// A conversation that has not begun.
    pub(crate) fn new(id: SessionId) -> Self {
        Self { id, generation: 0, server: None, lost: None, run: None }
    }

    /// The name of the next server session: 128 bits that no other instance comes to, in letters the CLI takes.
    pub(crate) fn next_name(&mut self, seed: u64) -> String {
        self.generation += 1;
        let fields = Fields::new("session").field(&seed.to_le_bytes()).field(&self.id.to_le_bytes());
        format!("llmp-{}", fields.field(&self.generation.to_le_bytes()).digest().hex(16))
    }
}

/// Where a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The CLI is not ready yet.
    Waiting,
    /// A request is on its way; its answer leads on.
    Opening,
    /// The prompt is on its way. Events may come before the answer does.
    Sending,
    /// The prompt was taken.
    Running,
}

/// What is to be done to the server session before the prompt goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Nothing.
    Append,
    /// Unload it and take it up again with other options.
    Resume,
    /// Open it.
    Create,
}

/// A turn that runs.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) turn: Turn,
    pub(crate) stage: Stage,
    pub(crate) route: Route,
    /// The server session.
    pub(crate) name: String,
    pub(crate) prompt: String,
    pub(crate) options: Options,
    /// The caller's history with everything that is asked now.
    pub(crate) history: Chain,
    /// The server's name for the prompt.
    message_id: Option<String>,
    /// Something came that belongs to this prompt, so that an idle is its own.
    begun: bool,
    pub(crate) stream: Stream,
    pub(crate) tools: Tools,
    attempt: Option<Attempt>,
    failure: Option<(Failure, Instant)>,
    /// When the session was last heard of.
    pub(crate) heard: Instant,
    unknown: u64,
    /// The server changed the history by itself.
    tainted: bool,
    durable: bool,
    empty_message: bool,
    filtered: bool,
    finish: Option<FinishReason>,
    request_id: Option<String>,
}

impl Run {
    /// A turn that waits for the CLI.
    pub(crate) fn new(
        turn: Turn,
        route: Route,
        name: String,
        prompt: String,
        options: Options,
        history: Chain,
    ) -> Self {
        Self {
            turn,
            stage: Stage::Waiting,
            route,
            name,
            prompt,
            options,
            history,
            message_id: None,
            begun: false,
            stream: Stream::default(),
            tools: Tools::default(),
            attempt: None,
            failure: None,
            heard: 0,
            unknown: 0,
            tainted: false,
            durable: true,
            empty_message: false,
            filtered: false,
            finish: None,
            request_id: None,
        }
    }

    /// The server has taken the prompt and named it.
    pub(crate) fn sent(&mut self, message_id: Option<String>) {
        self.stage = Stage::Running;
        if message_id.is_some() {
            self.message_id = message_id;
        }
    }

    /// When the turn has been silent for too long. No deadline while the CLI waits for a tool of ours, nor before the
    /// prompt is out, when requests have deadlines of their own.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if let Some((_, at)) = &self.failure {
            return Some(*at);
        }
        let counts = matches!(self.stage, Stage::Sending | Stage::Running) && !self.tools.waiting();
        counts.then(|| self.heard.saturating_add(self.options.activity_timeout))
    }

    /// The failure that was told, when the turn only waited for silence.
    pub(crate) fn told_failure(&mut self) -> Option<Failure> {
        self.failure.take().map(|(failure, _)| failure)
    }
}
