//! How an actor ends: closed, or by a fault of its plugin. Nobody is told before the places it held are free: who hears of
//! the end may want them at once.

use super::super::mail::Mail;
use super::super::queue::AttemptEnd;
use super::super::turns::CancelCause;
use super::{Actor, End, until};
use crate::bindings::exports::llm::provider::provider::{Input, Turn};
use crate::error::{HostError, PluginFault};
use tokio::sync::mpsc;

impl Actor {
    /// Lets the plugin end its sidecars politely, for as long as the limit says.
    pub(super) async fn shut_down(&mut self) {
        self.shutting = true;
        self.inbox.close();
        let grace = self.limits.shutdown_grace;
        for turn in self.turns.ids() {
            self.cancel(turn, CancelCause::Owner);
        }
        self.due.push(Input::Shutdown);
        let polite = async {
            loop {
                while !self.due.is_empty() {
                    self.handle().await?;
                }
                if !self.outside.busy() && self.turns.len() == 0 {
                    return Ok::<(), End>(());
                }
                let alarm = self.timers.next();
                tokio::select! {
                    Some(input) = self.inputs.recv() => self.take(input),
                    () = until(alarm) => self.check_timers()?,
                }
            }
        };
        drop(tokio::time::timeout(grace, polite).await);
    }

    /// Goes, and tells all who wait that the instance is closed: turns that have not ended see their channel close. Sidecars
    /// are killed with the actor.
    pub(super) fn close(self) {
        let Self { sandbox, sessions, outside, _hold, turns, queries, mut inbox, _end, .. } = self;
        drop((sandbox, sessions, outside, _hold));
        for mail in undelivered(&mut inbox) {
            match mail {
                Mail::StartTurn(_, open) => open.end(HostError::Closed),
                Mail::Ask(_, query) => query.fail(HostError::Closed.into()),
            }
        }
        drop((turns, queries));
        drop(_end);
    }

    /// Ends everything after a fault: one last item for each turn. What the plugin has not heard of goes back to who asked.
    /// Sidecars are killed with the actor.
    pub(super) fn die(self, fault: &PluginFault) {
        tracing::warn!(%fault, "a plugin was stopped");
        let Self { sandbox, sessions, outside, _hold, mut turns, queries, due, mut inbox, _end, .. } = self;
        drop((sandbox, sessions, outside, _hold));
        let not_asked = |turn: Turn| AttemptEnd::NotAsked(Box::new(turn), fault.clone());
        let mails = undelivered(&mut inbox);
        for input in due {
            if let Input::StartTurn(turn) = input
                && let Some(open) = turns.take(turn.id)
            {
                open.end(not_asked(turn));
            }
        }
        turns.end_all(fault);
        queries.end_all(fault);
        for mail in mails {
            match mail {
                Mail::StartTurn(turn, open) => open.end(not_asked(*turn)),
                Mail::Ask(_, query) => query.fail(fault.clone().into()),
            }
        }
        drop(_end);
    }
}

/// Shuts the mailbox, and takes what is in it. Whoever finds it shut starts a fresh instance.
fn undelivered(inbox: &mut mpsc::Receiver<Mail>) -> Vec<Mail> {
    inbox.close();
    std::iter::from_fn(|| inbox.try_recv().ok()).collect()
}
