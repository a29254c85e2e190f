//! The plugin: its parts, and which input goes where.

use crate::config::Config;
use crate::connection::Link;
use crate::effect::Effect;
use crate::failure::Failure;
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
use std::collections::BTreeMap;

/// The Copilot plugin.
#[derive(Debug)]
pub struct Copilot {
    pub(crate) port: Port,
    pub(crate) link: Link,
    pub(crate) restarts: Restarts,
    pub(crate) next_sidecar: SidecarId,
    pub(crate) decoder: Decoder,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// Which conversation a server session belongs to. Names that are not in here have no one to listen.
    pub(crate) names: BTreeMap<String, SessionId>,
    /// Questions about the provider that wait for the sidecar.
    pub(crate) queries: Vec<(QueryId, Question)>,
    /// Since when the sidecar has nothing to do.
    pub(crate) idle_since: Option<Instant>,
}

impl Plugin for Copilot {
    type Effect = Effect;

    fn configure(setup: Setup) -> Result<Self, Error> {
        let secrets = Secrets::new(&setup.secrets);
        let config = Config::parse(&setup.config, &secrets)
            .map_err(|error| Failure::of(Fault::Invalid, error.to_string()).error())?;
        Ok(Self {
            port: Port::new(config, secrets, setup.seed),
            link: Link::Idle,
            restarts: Restarts::default(),
            next_sidecar: 1,
            decoder: Decoder::default(),
            sessions: BTreeMap::new(),
            names: BTreeMap::new(),
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
            // This plugin sends no HTTP requests, so these cannot come.
            Input::HttpResponse(_) | Input::HttpChunk(_) | Input::HttpEnd(_) | Input::HttpFailed(_) => {}
        }
    }
}
