//! The mode `one-shot`: a process of the CLI for each turn, as scripts use it (`copilot < prompt`).
//!
//! It can less than the server (no tools, no system prompt) and costs a start of half a second each turn; in exchange
//! nothing runs between turns. What it cannot do is refused before anything starts. The CLI keeps the conversation on
//! disk under a name of ours, so the rules of the crate hold here too: a name whose history is not known to be exactly
//! the caller's is never used again.

mod ask;
mod ending;
mod process;
mod report;
mod run;
mod session;
mod startup;

use crate::config::Mode;
use crate::effect::Effect;
use crate::failure::Failure;
use crate::plugin;
use crate::port::Port;
use llm_provider_core::classify::Fault;
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::CatalogEffect;
use llm_provider_guest::errors::Error;
use llm_provider_guest::provider::{Input, Setup};
use llm_provider_guest::sidecar::SidecarId;
use llm_provider_guest::timers::TimerId;
use llm_provider_guest::types::{Instant, SessionId, TurnId};
use run::Run;
use session::Session;
use std::collections::{BTreeMap, VecDeque};

/// The Copilot plugin in its mode `one-shot`.
#[derive(Debug)]
pub struct OneShot {
    port: Port,
    sessions: BTreeMap<SessionId, Session>,
    /// Processes that were started and have not ended, each with the conversation whose turn it answers; none once
    /// that turn is over.
    processes: BTreeMap<SidecarId, Option<SessionId>>,
    /// Conversations whose turn waits for a place, the longest first.
    waiting: VecDeque<SessionId>,
    next_sidecar: SidecarId,
    /// The instance is at its end. Nothing is started any more.
    ended: bool,
}

impl Plugin for OneShot {
    type Effect = Effect;

    fn configure(setup: Setup) -> Result<Self, Error> {
        let (config, secrets) = plugin::parse(&setup)?;
        if config.mode != Mode::OneShot {
            return Err(plugin::other_mode());
        }
        Ok(Self {
            port: Port::new(config, secrets, setup.seed),
            sessions: BTreeMap::new(),
            processes: BTreeMap::new(),
            waiting: VecDeque::new(),
            next_sidecar: 1,
            ended: false,
        })
    }

    fn handle(&mut self, now: Instant, inputs: Vec<Input>, effects: &mut Vec<Effect>) {
        self.port.now = self.port.now.max(now);
        std::mem::swap(&mut self.port.out, effects);
        for input in inputs {
            self.input(input);
        }
        std::mem::swap(&mut self.port.out, effects);
    }
}

impl OneShot {
    fn input(&mut self, input: Input) {
        match input {
            Input::OpenSession(id) => {
                self.sessions.entry(id).or_insert_with(|| Session::new(id));
            }
            Input::CloseSession(id) => {
                self.fail(id, &Failure::of(Fault::Cancelled, "the session was closed"));
                self.sessions.remove(&id);
            }
            Input::StartTurn(turn) => self.start_turn(turn),
            Input::CancelTurn(id) => self.cancel_turn(id),
            Input::SidecarStarted(start) => self.started(start.id),
            Input::SidecarFailed(fault) => self.not_started(&fault),
            Input::SidecarOutput(bytes) => self.output(bytes.id, &bytes.data),
            Input::SidecarExited(end) => self.exited(&end),
            Input::TimerFired(id) => self.timer_fired(id),
            Input::Shutdown => self.shutdown(),
            Input::ListModels(query) => {
                let refused = Err(Self::unlisted("list its models"));
                self.port.out.push(CatalogEffect::Models(query, refused).into());
            }
            Input::ReadQuota(query) => {
                let refused = Err(Self::unlisted("tell its quota"));
                self.port.out.push(CatalogEffect::Quota(query, refused).into());
            }
            // Tools and permissions are never asked for, and no HTTP requests are sent, so these cannot come.
            Input::ToolResult(_) | Input::PermissionDecided(_) => {}
            Input::HttpResponse(_) | Input::HttpChunk(_) | Input::HttpEnd(_) | Input::HttpFailed(_) => {}
        }
    }

    fn unlisted(what: &str) -> Error {
        let message = format!("the Copilot CLI cannot {what} in the mode `one-shot`");
        Failure::of(Fault::Unsupported, message).with_hint(Some("use the mode `server`".to_owned())).error()
    }

    /// The owner wants no more of a turn: the process is killed, with whatever it was at.
    fn cancel_turn(&mut self, turn: TurnId) {
        let runs = |run: &Run| run.turn.id() == turn;
        let found = self.sessions.values().find(|session| session.run.as_ref().is_some_and(runs)).map(|found| found.id);
        if let Some(id) = found {
            self.fail(id, &Failure::of(Fault::Cancelled, "the turn was cancelled"));
        }
    }

    fn timer_fired(&mut self, timer: TimerId) {
        if !self.port.fired(timer) {
            return;
        }
        let now = self.port.now;
        let due = |run: &Run| run.deadline().is_some_and(|at| at <= now);
        let silent: Vec<SessionId> = self
            .sessions
            .values()
            .filter(|session| session.run.as_ref().is_some_and(due))
            .map(|session| session.id)
            .collect();
        silent.into_iter().for_each(|id| self.overdue(id));
        let deadlines = self.sessions.values().filter_map(|session| session.run.as_ref()).filter_map(Run::deadline);
        if let Some(at) = deadlines.min() {
            self.port.arm(at);
        }
    }

    /// The instance is about to end: end the turns and their processes.
    fn shutdown(&mut self) {
        self.ended = true;
        let running: Vec<SessionId> =
            self.sessions.values().filter(|session| session.run.is_some()).map(|session| session.id).collect();
        for id in running {
            self.fail(id, &Failure::of(Fault::Cancelled, "the turn was cancelled: the plugin is shutting down"));
        }
        self.port.disarm();
    }
}
