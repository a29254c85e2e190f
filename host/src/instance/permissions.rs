//! Permission requests of the model, decided by the tenant's policy on behalf of a turn.

use super::turns::OpenTurn;
use crate::bindings::exports::llm::provider::provider::{Input, PermissionAnswer};
use crate::bindings::llm::provider::permissions::PermissionRequest;
use crate::bindings::llm::provider::types::TurnId;
use crate::limits::Limits;
use crate::permission::{PermissionDecision, PermissionPolicy};
use crate::tasks;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Has a request decided and sends the decision to the plugin. A policy that panics or never answers denies. What needs no
/// decision is answered at once.
pub(super) fn ask(
    turn_id: TurnId,
    turn: &mut OpenTurn,
    request: PermissionRequest,
    policy: &Arc<dyn PermissionPolicy>,
    limits: &Limits,
    inputs: mpsc::Sender<Input>,
) -> Option<Input> {
    let denied = if turn.cancelled.is_some() {
        Some("the turn was cancelled")
    } else if turn.asked.len() >= limits.tool_calls {
        Some("too many actions wait for a decision")
    } else {
        None
    };
    if let Some(why) = denied {
        let decision = PermissionDecision::Deny(why.to_owned());
        return Some(Input::PermissionDecided(PermissionAnswer { turn: turn_id, id: request.id, decision }));
    }
    let (policy, deadline, id) = (Arc::clone(policy), limits.permission_deadline, request.id.clone());
    let key = id.clone();
    let task = tasks::spawn(async move {
        let decided = tokio::time::timeout(deadline, decide(policy, request)).await;
        let decision = decided.unwrap_or_else(|_| PermissionDecision::Deny("nobody decided in time".to_owned()));
        let answer = PermissionAnswer { turn: turn_id, id, decision };
        drop(inputs.send(Input::PermissionDecided(answer)).await);
    });
    turn.asked.insert(key, task);
    None
}

/// Runs the policy in a task of its own: a panic there is its own.
async fn decide(policy: Arc<dyn PermissionPolicy>, request: PermissionRequest) -> PermissionDecision {
    let mut deciding = tokio::task::JoinSet::new();
    deciding.spawn(async move { policy.decide(request).await });
    match deciding.join_next().await {
        Some(Ok(decision)) => decision,
        Some(Err(_)) | None => PermissionDecision::Deny("the policy failed to decide".to_owned()),
    }
}
