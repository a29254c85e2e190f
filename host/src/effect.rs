//! What a plugin asks of the host, collected while `handle` runs and performed after it.

mod size;

use crate::bindings::llm::provider::secrets::Chunk;
use crate::bindings::llm::provider::{catalog, errors, events, http, log, permissions, sidecar, types};
pub(crate) use size::event_bytes;

/// One call of an import.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// `events.emit`.
    Event(types::TurnId, events::Event),
    /// `http.send`.
    HttpSend(http::RequestId, http::Request),
    /// `http.cancel`.
    HttpCancel(http::RequestId),
    /// `sidecar.start`.
    SidecarStart(sidecar::SidecarId, sidecar::Spec),
    /// `sidecar.send`.
    SidecarSend(sidecar::SidecarId, Vec<Chunk>),
    /// `sidecar.close-input`.
    SidecarCloseInput(sidecar::SidecarId),
    /// `sidecar.stop`.
    SidecarStop(sidecar::SidecarId, sidecar::StopMode),
    /// `tools.invoke`.
    ToolInvoke(types::TurnId, types::ToolCall),
    /// `permissions.ask`.
    PermissionAsk(types::TurnId, permissions::PermissionRequest),
    /// `catalog.models`.
    CatalogModels(types::QueryId, Result<Vec<catalog::Model>, errors::Error>),
    /// `catalog.quota`.
    CatalogQuota(types::QueryId, Result<Vec<catalog::Allowance>, errors::Error>),
    /// `timers.set`.
    TimerSet(u64, types::Milliseconds),
    /// `timers.clear`.
    TimerClear(u64),
    /// `log.write`, and what a WASI plugin prints.
    Log(log::Level, String),
}
