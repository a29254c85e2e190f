//! The world's imports: each keeps its effect and returns.

use super::state::State;
use crate::bindings::llm::provider::secrets::Chunk;
use crate::bindings::llm::provider::{
    catalog, errors, events, http, http_types, log, permissions, secrets, sidecar, sidecar_types, timers, tools, types,
};
use crate::effect::Effect;
use wasmtime::Result;

impl types::Host for State {}
impl errors::Host for State {}
impl secrets::Host for State {}
impl http_types::Host for State {}
impl sidecar_types::Host for State {}

impl events::Host for State {
    fn emit(&mut self, turn: types::TurnId, event: events::Event) -> Result<()> {
        self.push(Effect::Event(turn, event))
    }
}

impl http::Host for State {
    fn send(&mut self, id: http::RequestId, request: http::Request) -> Result<()> {
        self.push(Effect::HttpSend(id, request))
    }

    fn cancel(&mut self, id: http::RequestId) -> Result<()> {
        self.push(Effect::HttpCancel(id))
    }
}

impl sidecar::Host for State {
    fn start(&mut self, id: sidecar::SidecarId, spec: sidecar::Spec) -> Result<()> {
        self.push(Effect::SidecarStart(id, spec))
    }

    fn send(&mut self, id: sidecar::SidecarId, data: Vec<Chunk>) -> Result<()> {
        self.push(Effect::SidecarSend(id, data))
    }

    fn close_input(&mut self, id: sidecar::SidecarId) -> Result<()> {
        self.push(Effect::SidecarCloseInput(id))
    }

    fn stop(&mut self, id: sidecar::SidecarId, mode: sidecar::StopMode) -> Result<()> {
        self.push(Effect::SidecarStop(id, mode))
    }
}

impl tools::Host for State {
    fn invoke(&mut self, turn: types::TurnId, call: types::ToolCall) -> Result<()> {
        self.push(Effect::ToolInvoke(turn, call))
    }
}

impl permissions::Host for State {
    fn ask(&mut self, turn: types::TurnId, request: permissions::PermissionRequest) -> Result<()> {
        self.push(Effect::PermissionAsk(turn, request))
    }
}

impl catalog::Host for State {
    fn models(
        &mut self,
        id: types::QueryId,
        result: std::result::Result<Vec<catalog::Model>, errors::Error>,
    ) -> Result<()> {
        self.push(Effect::CatalogModels(id, result))
    }

    fn quota(
        &mut self,
        id: types::QueryId,
        result: std::result::Result<Vec<catalog::Allowance>, errors::Error>,
    ) -> Result<()> {
        self.push(Effect::CatalogQuota(id, result))
    }
}

impl timers::Host for State {
    fn set(&mut self, id: timers::TimerId, after: types::Milliseconds) -> Result<()> {
        self.push(Effect::TimerSet(id, after))
    }

    fn clear(&mut self, id: timers::TimerId) -> Result<()> {
        self.push(Effect::TimerClear(id))
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        self.push(Effect::Log(level, message))
    }
}
