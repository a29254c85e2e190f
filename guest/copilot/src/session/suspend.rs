//! Tools that the caller runs between turns: the server's turn waits for their results, and ours ends.

use crate::reconcile::{Pending, PendingCall};
use crate::wire::event::Message;
use std::collections::{BTreeMap, BTreeSet};

/// The calls of the model's last message.
#[derive(Debug, Default)]
pub(crate) struct Suspension {
    /// In the order of the model.
    calls: Vec<String>,
    /// Those that the CLI handed over, each with its name for the request.
    requested: BTreeMap<String, String>,
    /// Those that it answered by itself, as one to a tool that does not exist.
    settled: BTreeSet<String>,
    /// More of the message is to come.
    partial: bool,
}

impl Suspension {
    /// The model has spoken, in a message or in a part of one: these are its calls.
    pub(crate) fn spoken(&mut self, calls: Vec<String>, message: &Message<'_>) {
        self.partial = !message.is_last();
        if message.continues() {
            return self.calls.extend(calls);
        }
        self.calls = calls;
        self.requested.clear();
        self.settled.clear();
    }

    /// The CLI hands a call over. Versions that do not say which calls a message has hand over one at a time.
    pub(crate) fn requested(&mut self, call: &str, request: &str) {
        if !self.calls.iter().any(|known| known == call) {
            self.calls.push(call.to_owned());
        }
        self.requested.insert(call.to_owned(), request.to_owned());
    }

    /// The CLI has answered a call by itself.
    pub(crate) fn settled(&mut self, call: &str) {
        if self.calls.iter().any(|known| known == call) {
            self.settled.insert(call.to_owned());
        }
    }

    /// Whether every call is handed over or settled, and the server waits for at least one.
    pub(crate) fn is_complete(&self) -> bool {
        let known = |call: &String| self.requested.contains_key(call) || self.settled.contains(call);
        !self.partial && !self.requested.is_empty() && self.calls.iter().all(known)
    }

    /// What the server waits for; `None` when it answered a call by itself, which the caller will answer too: then its
    /// history is not going to be the caller's.
    pub(crate) fn pending(&self, message_id: Option<String>) -> Option<Pending> {
        let request =
            |call: &String| Some(PendingCall { call: call.clone(), request: self.requested.get(call)?.clone() });
        let calls: Option<Vec<_>> = self.calls.iter().map(request).collect();
        calls.filter(|_| self.settled.is_empty()).map(|calls| Pending { calls, message_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has the model speak, in a part of a message where `chunk` says so.
    fn spoken(suspension: &mut Suspension, calls: &[&str], chunk: &str) {
        let message = format!(r#"{{"messageId":"m"{chunk}}}"#);
        let calls = calls.iter().map(|call| (*call).to_owned()).collect();
        suspension.spoken(calls, &serde_json::from_str(&message).unwrap());
    }

    #[test]
    fn parts_of_a_message_are_waited_for() {
        let mut suspension = Suspension::default();
        spoken(&mut suspension, &["a"], r#","chunkIndex":0,"chunkCount":2"#);
        suspension.requested("a", "ra");
        assert!(!suspension.is_complete());
        spoken(&mut suspension, &["b"], r#","chunkIndex":1,"chunkCount":2"#);
        assert!(!suspension.is_complete());
        suspension.requested("b", "rb");
        assert!(suspension.is_complete());
        assert_eq!(suspension.pending(None).unwrap().calls.len(), 2);
    }

    #[test]
    fn it_is_complete_when_every_call_is_accounted_for() {
        let mut suspension = Suspension::default();
        assert!(!suspension.is_complete());
        spoken(&mut suspension, &["a", "b"], "");
        suspension.requested("a", "ra");
        assert!(!suspension.is_complete());
        suspension.requested("b", "rb");
        assert!(suspension.is_complete());
        let pending = suspension.pending(None).unwrap();
        let calls: Vec<_> = pending.calls.iter().map(|call| (call.call.as_str(), call.request.as_str())).collect();
        assert_eq!(calls, [("a", "ra"), ("b", "rb")]);
    }

    #[test]
    fn a_call_that_the_cli_answered_spoils_the_session() {
        let mut suspension = Suspension::default();
        spoken(&mut suspension, &["a", "b"], "");
        suspension.settled("b");
        assert!(!suspension.is_complete(), "nothing is waited for yet");
        suspension.requested("a", "ra");
        assert!(suspension.is_complete() && suspension.pending(None).is_none());
    }

    #[test]
    fn calls_that_all_settled_are_the_clis_own_affair() {
        let mut suspension = Suspension::default();
        spoken(&mut suspension, &["a"], "");
        suspension.settled("a");
        assert!(!suspension.is_complete());
        spoken(&mut suspension, &[], "");
        suspension.settled("elsewhere");
        suspension.requested("c", "rc");
        assert!(suspension.is_complete() && suspension.pending(None).is_some());
    }
}
