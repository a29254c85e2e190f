//! Permission requests: the host's policy decides, and the turn goes on.

use super::Run;
use crate::port::{Port, Purpose};
use crate::wire::event::Permission;
use crate::wire::request::{PermissionAnswer, PermissionResult};
use llm_provider_guest::effects::PermissionEffect;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::permissions::{PermissionKind, PermissionRequest};
use llm_provider_guest::provider::PermissionDecision;

/// Characters of a command or a path that a person is shown.
const LONGEST: usize = 500;
/// What the model is told when a policy denies without a word. Without any feedback the CLI would end the turn.
const FEEDBACK: &str = "This action is not allowed here. Go on without it.";

/// Takes a request: a tool that the caller offered is allowed, since whoever runs it decides; everything else is asked.
pub(super) fn requested(run: &mut Run, data: &str, permission: &Permission<'_>, port: &mut Port) {
    if permission.resolved_by_hook {
        return;
    }
    let wanted = &permission.permission_request;
    let tool = wanted.tool_name.as_ref().map(|name| &*name.0);
    if wanted.kind == "custom-tool" && tool.is_some_and(|name| run.options.offers(name)) {
        return answer(run, &permission.request_id, allow(port), port);
    }
    let id = permission.request_id.to_string();
    let summary = [&wanted.full_command_text, &wanted.file_name, &wanted.path, &wanted.url, &wanted.intention];
    let summary = summary.into_iter().flatten().next().map_or_else(String::new, |text| text.0.to_string());
    let summary: String = summary.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    run.permissions.insert(id.clone(), tool.unwrap_or(&wanted.kind).to_owned());
    let request = PermissionRequest {
        id,
        kind: kind(&wanted.kind),
        tool: tool.map(str::to_owned),
        summary,
        detail: data.to_owned(),
    };
    port.out.push(PermissionEffect::Ask(run.turn.id(), request).into());
}

/// Hands the host's decision to the CLI. A decision on nothing, or a second one, is dropped.
pub(crate) fn decided(run: &mut Run, id: &str, decision: PermissionDecision, port: &mut Port) {
    let Some(what) = run.permissions.remove(id) else { return };
    let result = match decision {
        PermissionDecision::Allow => allow(port),
        PermissionDecision::Deny(feedback) => {
            let message = format!("the model wanted to use `{}`, which is not allowed", what.escape_debug());
            run.turn.notice(NoticeKind::PermissionDenied, message, &mut port.out);
            deny(feedback, port)
        }
    };
    answer(run, id, result, port);
}

fn answer(run: &Run, request_id: &str, result: PermissionResult, port: &mut Port) {
    let answer = PermissionAnswer { session_id: &run.name, request_id, result };
    port.request("session.permissions.handlePendingPermissionRequest", answer, Purpose::Permission);
}

/// The CLI's kinds (PROTOCOL section 2) by the names of the world.
fn kind(kind: &str) -> PermissionKind {
    match kind {
        "shell" => PermissionKind::Command,
        "read" => PermissionKind::Read,
        "write" => PermissionKind::Write,
        "url" => PermissionKind::Fetch,
        "mcp" => PermissionKind::ServerTool,
        other => PermissionKind::Other(other.to_owned()),
    }
}

/// Versions without `connect` have older names for decisions (PROTOCOL 8); 1.0.102 takes the older ones for tools of ours
/// only.
fn knows_new_names(port: &Port) -> bool {
    port.peer.as_ref().is_some_and(|peer| peer.has_connect)
}

/// For this once only.
fn allow(port: &Port) -> PermissionResult {
    let kind = if knows_new_names(port) { "approve-once" } else { "approved" };
    PermissionResult { kind, feedback: None }
}

fn deny(feedback: String, port: &Port) -> PermissionResult {
    let kind = if knows_new_names(port) { "reject" } else { "denied-interactively-by-user" };
    let feedback = if feedback.trim().is_empty() { FEEDBACK.to_owned() } else { feedback };
    PermissionResult { kind, feedback: Some(feedback) }
}
