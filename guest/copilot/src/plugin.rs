//! The plugin: its parts, and which input goes where.

use crate::config::{Config, Mode};
use crate::connection::Link;
use crate::effect::Effect;
use crate::failure::Failure;
use crate::names::Names;
use crate::oneshot::OneShot;
use crate::port::{Port, Question};
use crate::restart::Restarts;
use crate::session::Session;
use llm_provider_core::classify::Fault;
use llm_provider_core::frame::{Decoder, Secrets};
use llm_provider_guest::Plugin;
use llm_provider_guest::errors::Error;
use llm_provider_guest::provider::{Input, Setup};
use llm_provider_guest::sidecar::SidecarId;
use llm_provider_guest::types::{Instant, QueryId, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// The Copilot plugin in the mode its configuration asks for.
#[derive(Debug)]
pub enum AnyMode {
    /// One CLI for all turns.
    Server(Box<Copilot>),
    /// A CLI for each turn.
    OneShot(Box<OneShot>),
}

impl Plugin for AnyMode {
    type Effect = Effect;

    fn configure(setup: Setup) -> Result<Self, Error> {
        match parse(&setup)?.0.mode {
            Mode::Server => Copilot::configure(setup).map(Box::new).map(Self::Server),
            Mode::OneShot => OneShot::configure(setup).map(Box::new).map(Self::OneShot),
        }
    }

    fn handle(&mut self, now: Instant, inputs: Vec<Input>, effects: &mut Vec<Effect>) {
        match self {
            Self::Server(plugin) => plugin.handle(now, inputs, effects),
            Self::OneShot(plugin) => plugin.handle(now, inputs, effects),
        }
    }
}

/// The configuration, with what is known of the secrets.
pub(crate) fn parse(setup: &Setup) -> Result<(Config, Secrets), Error> {
    let secrets = Secrets::new(&setup.secrets);
    match Config::parse(&setup.config, &secrets) {
        Ok(config) => Ok((config, secrets)),
        Err(error) => Err(Failure::of(Fault::Invalid, error.to_string()).error()),
    }
}

/// What an implementation of one mode says to the configuration of the other.
pub(crate) fn other_mode() -> Error {
    Failure::of(Fault::Invalid, "the configuration asks for another `mode`").error()
}

/// The Copilot plugin in its mode `server`.
#[derive(Debug)]
pub struct Copilot {
    pub(crate) port: Port,
    pub(crate) link: Link,
    pub(crate) restarts: Restarts,
    pub(crate) next_sidecar: SidecarId,
    pub(crate) decoder: Decoder,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) names: Names,
    /// Server sessions that were left while there was no sidecar, and are on disk.
    pub(crate) left: BTreeSet<String>,
    /// Questions about the provider that wait for the sidecar.
    pub(crate) queries: Vec<(QueryId, Question)>,
    /// Since when the sidecar has nothing to do.
    pub(crate) idle_since: Option<Instant>,
}

impl Plugin for Copilot {
    type Effect = Effect;

    fn configure(setup: Setup) -> Result<Self, Error> {
        let (config, secrets) = parse(&setup)?;
        if config.mode != Mode::Server {
            return Err(other_mode());
        }
        Ok(Self {
            port: Port::new(config, secrets, setup.seed),
            link: Link::Idle,
            restarts: Restarts::default(),
            next_sidecar: 1,
            decoder: Decoder::default(),
            sessions: BTreeMap::new(),
            names: Names::default(),
            left: BTreeSet::new(),
            queries: Vec::new(),
            idle_since: None,
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

impl Copilot {
    fn input(&mut self, input: Input) {
        match input {
            Input::OpenSession(id) => {
                self.sessions.entry(id).or_insert_with(|| Session::new(id));
            }
            Input::CloseSession(id) => self.close_session(id),
            Input::StartTurn(turn) => self.start_turn(turn),
            Input::CancelTurn(id) => self.cancel_turn(id),
            Input::ToolResult(answer) => self.tool_result(answer),
            Input::SidecarStarted(start) => self.sidecar_started(start),
            Input::SidecarFailed(fault) => self.sidecar_failed(&fault),
            Input::SidecarOutput(bytes) => self.sidecar_output(&bytes),
            Input::SidecarExited(end) => self.sidecar_exited(&end),
            Input::TimerFired(id) => self.timer_fired(id),
            Input::Shutdown => self.shutdown(),
            Input::PermissionDecided(answer) => self.permission_decided(answer),
            Input::ListModels(id) => self.asked(id, Question::Models),
            Input::ReadQuota(id) => self.asked(id, Question::Quota),
            Input::HttpResponse(head) => self.http_response(&head),
            Input::HttpChunk(bytes) => self.http_chunk(&bytes),
            Input::HttpEnd(id) => self.http_end(id),
            Input::HttpFailed(fault) => self.http_failed(&fault),
        }
    }
}
