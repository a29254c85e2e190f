//! Who decides what the model may do with the provider's own tools.

pub use crate::bindings::exports::llm::provider::provider::PermissionDecision;
pub use crate::bindings::llm::provider::permissions::{PermissionKind, PermissionRequest};
use std::future::Future;
use std::pin::Pin;

/// What the model is told where a policy gives no reason of its own.
const DENIED: &str = "This action is not allowed here. Go on without it.";

/// The future of a decision. It is dropped when its turn ends first.
pub type Deciding = Pin<Box<dyn Future<Output = PermissionDecision> + Send>>;

/// Decides on permission requests. One implementation serves all turns of a tenant, many at once.
pub trait PermissionPolicy: Send + Sync + 'static {
    /// Decides on one. A denial carries what the model is told; the turn goes on.
    ///
    /// # Cancel safety
    /// The future is dropped at any await point when the turn ends.
    fn decide(&self, request: PermissionRequest) -> Deciding;
}

/// Denies everything: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DenyAll;

/// Allows acts of some kinds and denies the rest.
#[derive(Clone, Debug, Default)]
pub struct AllowKinds(pub Vec<PermissionKind>);

impl PermissionPolicy for DenyAll {
    fn decide(&self, _: PermissionRequest) -> Deciding {
        Box::pin(std::future::ready(denied()))
    }
}

impl PermissionPolicy for AllowKinds {
    fn decide(&self, request: PermissionRequest) -> Deciding {
        let decision = if self.0.contains(&request.kind) { PermissionDecision::Allow } else { denied() };
        Box::pin(std::future::ready(decision))
    }
}

/// A denial with the usual words.
#[must_use]
pub fn denied() -> PermissionDecision {
    PermissionDecision::Deny(DENIED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: PermissionKind) -> PermissionRequest {
        PermissionRequest { id: "1".into(), kind, tool: None, summary: "ls".into(), detail: "{}".into() }
    }

    #[tokio::test]
    async fn b09_nothing_is_allowed_that_was_not_named() {
        assert_eq!(DenyAll.decide(request(PermissionKind::Read)).await, denied());
        let policy = AllowKinds(vec![PermissionKind::Read, PermissionKind::Other("memory".into())]);
        assert_eq!(policy.decide(request(PermissionKind::Read)).await, PermissionDecision::Allow);
        assert_eq!(policy.decide(request(PermissionKind::Command)).await, denied());
        assert_eq!(policy.decide(request(PermissionKind::Other("x".into()))).await, denied());
        assert_eq!(policy.decide(request(PermissionKind::Other("memory".into()))).await, PermissionDecision::Allow);
    }
}
