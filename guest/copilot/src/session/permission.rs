//! Permission requests: nothing of the CLI's own is allowed, and the turn goes on.

use super::Run;
use crate::port::{Port, Purpose};
use crate::wire::event::Permission;
use crate::wire::request::{PermissionAnswer, PermissionResult};
use llm_provider_guest::events::NoticeKind;

/// What the model is told. Without any feedback the CLI would end the turn.
const FEEDBACK: &str = "This action is not allowed here. Go on without it.";

/// Decides a request.
pub(super) fn decide(run: &mut Run, permission: &Permission<'_>, port: &mut Port) {
    if permission.resolved_by_hook {
        return;
    }
    let wanted = &permission.permission_request;
    let tool = wanted.tool_name.as_ref().map(|name| &*name.0);
    let ours = wanted.kind == "custom-tool" && tool.is_some_and(|name| run.options.offers(name));
    let result = if ours { allow() } else { deny(port.peer.as_ref().is_some_and(|peer| peer.has_connect)) };
    if !ours {
        let what = tool.unwrap_or(&wanted.kind).escape_debug();
        let message = format!("the model wanted to use `{what}`, which is not allowed");
        run.turn.notice(NoticeKind::PermissionDenied, message, &mut port.out);
    }
    let answer = PermissionAnswer { session_id: &run.name, request_id: &permission.request_id, result };
    port.request("session.permissions.handlePendingPermissionRequest", answer, Purpose::Permission);
}

/// A tool that the caller offered: whoever runs it decides. `approved` is understood by every version (PROTOCOL 8).
fn allow() -> PermissionResult {
    PermissionResult { kind: "approved", feedback: None }
}

/// Versions without `connect` have an older name for it.
fn deny(has_connect: bool) -> PermissionResult {
    let kind = if has_connect { "reject" } else { "denied-interactively-by-user" };
    PermissionResult { kind, feedback: Some(FEEDBACK) }
}
