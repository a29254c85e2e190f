//! Asking the person what the model may do, in a chat.

use crate::line::Lines;
use crate::output;
use llm_provider_host::{Deciding, PermissionDecision, PermissionKind, PermissionPolicy, PermissionRequest, denied};
use tokio::sync::{mpsc, oneshot};

/// Questions that wait for the person at once; a model that asks more at once is denied the rest.
const WAITING: usize = 8;

/// A question, with the place for its answer.
pub(crate) struct Question {
    request: PermissionRequest,
    answer: oneshot::Sender<PermissionDecision>,
}

/// The policy: hands each request to the chat and waits.
#[derive(Clone)]
pub(crate) struct AskPerson(mpsc::Sender<Question>);

/// The chat's end: where the questions come out.
pub(crate) struct Questions(mpsc::Receiver<Question>);

/// Both ends.
pub(crate) fn asking() -> (AskPerson, Questions) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (AskPerson(sender), Questions(receiver))
}

impl PermissionPolicy for AskPerson {
    fn decide(&self, request: PermissionRequest) -> Deciding {
        let (answer, answered) = oneshot::channel();
        let asked = self.0.try_send(Question { request, answer });
        Box::pin(async move {
            match asked {
                Ok(()) => answered.await.unwrap_or_else(|_| denied()),
                Err(_) => denied(),
            }
        })
    }
}

impl Questions {
    /// The next question. Never comes when nobody asks any more.
    pub(crate) async fn next(&mut self) -> Question {
        match self.0.recv().await {
            Some(question) => question,
            None => std::future::pending().await,
        }
    }
}

impl Question {
    /// Puts it to the person. Anything but a clear yes is a no.
    pub(crate) async fn put(self, lines: &mut Lines) {
        let what = match &self.request.kind {
            PermissionKind::Command => "run",
            PermissionKind::Read => "read",
            PermissionKind::Write => "write",
            PermissionKind::Fetch => "fetch",
            PermissionKind::ServerTool => "call the tool",
            PermissionKind::Other(_) => "do",
        };
        let summary =
            if self.request.summary.is_empty() { "something it does not name" } else { &self.request.summary };
        output::tell(&format!("the model wants to {what}: {}", output::plain(summary)));
        let allowed = lines.confirm("allow it this once? [y/N] ").await;
        let decision = if allowed { PermissionDecision::Allow } else { denied() };
        // The turn may have ended meanwhile.
        drop(self.answer.send(decision));
    }
}
