//! A conversation, and the turn that runs in it.

mod events;
mod finish;
mod item;
pub(crate) mod permission;
mod stream;
mod suspend;
mod tools;

pub(crate) use events::{Outcome, StillRunning, is_ignored};
pub(crate) use stream::Stream;
pub(crate) use suspend::Suspension;
pub(crate) use tools::Tools;

use crate::egress::Seen;
use crate::failure::{Attempt, Failure};
use crate::options::Options;
use crate::port::Port;
use crate::reconcile::{Answers, Plan, Server};
use llm_provider_core::digest::{Chain, Fields};
use llm_provider_core::turn::Turn;
use llm_provider_guest::types::{FinishReason, Instant, Message, SessionId};
use std::collections::BTreeMap;

/// How long after a failure was told the CLI may take to fall silent: it takes 15 ms.
const AFTER_FAILURE: u64 = 5_000;
/// How long after a whole answer the CLI may take to say that it is idle: it takes 15 ms. Then the answer stands, and the
/// session is left behind.
const AFTER_ANSWER: u64 = 10_000;

/// Why a conversation has no server session, where it had one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The sidecar ended.
    Crash,
    /// The last turn did not end well, or the server changed the history.
    Spoilt,
    /// The server does not know it any more.
    Forgotten,
    /// The sidecar was ended, and not all of it was on disk.
    Unkept,
}

/// What the end of a sidecar means for a turn that waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chill {
    /// Nothing.
    Same,
    /// It takes its session up again, which its owner was not told.
    Woken,
    /// What is on disk is not what it counts on: it needs another session.
    Unkept,
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

    /// The sidecar ended unasked. What it had in memory may not be on disk, so the session is lost; but for one that waits
    /// for the results of tools, which is on disk by then and costs the most to lose. Should it not be there, its turn
    /// learns so before anything reaches the model.
    /// Gives the name of what is left on disk.
    pub(crate) fn crashed(&mut self) -> Option<String> {
        let had = self.server.is_some() || self.run.as_ref().is_some_and(|run| run.stage != Stage::Waiting);
        if had {
            self.lost = Some(Lost::Crash);
        }
        self.chilled(|server| server.pending.is_some() && server.durable)
    }

    /// The sidecar was ended because it had nothing to do. Gives the name of what is on disk and not whole.
    pub(crate) fn rested(&mut self) -> Option<String> {
        let left = self.chilled(|server| server.durable);
        if left.is_some() {
            self.lost = Some(Lost::Unkept);
        }
        left
    }

    /// The server session is on disk only. Gives the name of one that is not to be kept.
    fn chilled(&mut self, keep: impl Fn(&Server) -> bool) -> Option<String> {
        let server = self.server.take()?;
        if !keep(&server) {
            return Some(server.name);
        }
        self.server = Some(Server { cold: true, ..server });
        None
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

/// The server session that a turn runs in.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    /// Whether its log has all of it, as far as it goes.
    pub(crate) durable: bool,
}

/// A turn that runs.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) turn: Turn,
    pub(crate) stage: Stage,
    /// How it gets to the model.
    pub(crate) way: Plan,
    /// The server session.
    pub(crate) name: String,
    pub(crate) options: Options,
    /// The caller's history with everything that is asked now, for a session that turns out to be lost.
    pub(crate) messages: Vec<Message>,
    /// Its fingerprint.
    pub(crate) history: Chain,
    /// The session was lost once and the turn took another: it does not take a third.
    pub(crate) fell_back: bool,
    /// The server's name for the prompt.
    message_id: Option<String>,
    /// Something came that belongs to this prompt, so that an idle is its own.
    begun: bool,
    pub(crate) stream: Stream,
    pub(crate) tools: Tools,
    /// Permission requests that wait for the host's decision, by the CLI's name for them: each with
    /// what the model wants to use.
    permissions: BTreeMap<String, String>,
    pub(crate) suspension: Suspension,
    attempt: Option<Attempt>,
    /// The endpoint's refusal of the last request, where it went through the host.
    pub(crate) seen: Option<Seen>,
    failure: Option<(Failure, Instant)>,
    /// The answer is whole; only the word that the session is idle is missing, until then.
    whole_until: Option<Instant>,
    /// When the session was last heard of.
    pub(crate) heard: Instant,
    unknown: u64,
    /// The server changed the history by itself.
    tainted: bool,
    /// Whether the session's log has all of it. A log with a gap keeps it.
    pub(crate) durable: bool,
    empty_message: bool,
    /// The model's last message called no tool.
    spoke_last: bool,
    filtered: bool,
    finish: Option<FinishReason>,
    request_id: Option<String>,
}

impl Run {
    /// A turn that waits for the CLI.
    pub(crate) fn new(turn: Turn, way: Plan, place: Place, options: Options, messages: Vec<Message>) -> Self {
        let history = Chain::default().extend(&messages);
        let stream = Stream::after(&messages);
        let Place { name, durable } = place;
        Self {
            turn,
            stage: Stage::Waiting,
            way,
            name,
            options,
            messages,
            history,
            fell_back: false,
            message_id: None,
            begun: false,
            stream,
            tools: Tools::default(),
            permissions: BTreeMap::new(),
            suspension: Suspension::default(),
            attempt: None,
            seen: None,
            failure: None,
            whole_until: None,
            heard: 0,
            unknown: 0,
            tainted: false,
            durable,
            empty_message: false,
            spoke_last: false,
            filtered: false,
            finish: None,
            request_id: None,
        }
    }

    /// The sidecar was ended while the turn waited for it: what was in memory is on disk only.
    pub(crate) fn chill(&mut self) -> Chill {
        match &mut self.way {
            Plan::Create { .. } => Chill::Same,
            _ if !self.durable => Chill::Unkept,
            Plan::Append(prompt) => {
                self.way = Plan::Resume { prompt: std::mem::take(prompt), unload: false };
                Chill::Woken
            }
            Plan::Resume { unload, .. } => {
                *unload = false;
                Chill::Same
            }
            // A session on disk is woken for results alone (`reconcile`).
            Plan::Answer(answers) if !answers.more.is_empty() => Chill::Unkept,
            Plan::Answer(answers) if answers.wake => Chill::Same,
            Plan::Answer(answers) => {
                answers.wake = true;
                Chill::Woken
            }
        }
    }

    /// The results of tools are on their way to the server's turn, whose events are this turn's from now on.
    pub(crate) fn answering(&mut self, answers: &Answers) {
        self.begun = true;
        self.message_id.clone_from(&answers.message_id);
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
        let waits = self.tools.waiting() || !self.permissions.is_empty();
        let counts = matches!(self.stage, Stage::Sending | Stage::Running) && !waits;
        let silent = counts.then(|| self.heard.saturating_add(self.options.activity_timeout));
        silent.map(|at| self.whole_until.map_or(at, |until| until.min(at)))
    }

    /// Makes sure that its silence is noticed.
    pub(crate) fn arm(&self, port: &mut Port) {
        if let Some(at) = self.deadline() {
            port.arm(at);
        }
    }

    /// Whether the answer is whole and the CLI has been silent about it for long enough. Its session is in doubt then.
    pub(crate) fn over(&mut self, now: Instant) -> bool {
        let over = self.failure.is_none() && self.whole_until.is_some_and(|until| until <= now);
        self.tainted |= over;
        over
    }

    /// The failure that was told, when the turn only waited for silence.
    pub(crate) fn told_failure(&mut self) -> Option<Failure> {
        self.failure.take().map(|(failure, _)| failure)
    }
}
