//! What is asked of an instance from outside: turns and questions, cancels and closes.

use super::super::mail::{Lists, Mail};
use super::super::queries::Query;
use super::super::timers::TimerKey;
use super::super::turns::{CancelCause, OpenTurn};
use super::Actor;
use crate::bindings::exports::llm::provider::provider::{Input, Turn};
use crate::bindings::llm::provider::types::{QueryId, SessionId, TurnId};
use crate::error::HostError;
use crate::quota::{Quota, QuotaExceeded};
use std::collections::btree_map::Entry;

impl Actor {
    /// Waits for no reader.
    pub(super) fn take_mail(&mut self, mail: Mail) {
        self.hear();
        match mail {
            Mail::StartTurn(_, open) if self.shutting => open.end(HostError::Closed),
            Mail::Ask(_, query) if self.shutting => query.fail(HostError::Closed.into()),
            Mail::StartTurn(turn, open) => self.start_turn(*turn, *open),
            Mail::Ask(id, query) => self.ask(id, query),
        }
    }

    /// Whether another turn goes into the next call. One conversation always does; many large ones together would take
    /// longer than a call may.
    pub(super) fn takes_mail(&self) -> bool {
        self.due_bytes < self.limits.prompt_bytes
    }

    fn start_turn(&mut self, turn: Turn, open: OpenTurn) {
        if let Some(full) = self.full(turn.session) {
            return open.end(full);
        }
        if let Err(refused) = self.open_session(turn.session) {
            return open.end(refused);
        }
        self.deadlines.set(TimerKey::TurnDeadline(turn.id), open.deadline.at());
        self.due_bytes = self.due_bytes.saturating_add(open.bytes);
        self.turns.insert(turn.id, open);
        self.budget.begin(self.open());
        self.due.push(Input::StartTurn(turn));
    }

    fn open_session(&mut self, session: SessionId) -> Result<(), QuotaExceeded> {
        if let Entry::Vacant(unknown) = self.sessions.entry(session) {
            unknown.insert(self.tenant.0.ledger.hold(Quota::Sessions, 1)?);
            self.due.push(Input::OpenSession(session));
        }
        Ok(())
    }

    /// The limit that another turn of this session would pass.
    fn full(&self, session: SessionId) -> Option<HostError> {
        let (turns, sessions) = (self.limits.turns, self.limits.sessions);
        if self.turns.len() >= turns {
            return Some(HostError::Limit { limit: "turns", configured: turns });
        }
        let another = !self.sessions.contains_key(&session) && self.sessions.len() >= sessions;
        another.then_some(HostError::Limit { limit: "sessions", configured: sessions })
    }

    fn ask(&mut self, id: QueryId, query: Query) {
        for forgotten in self.queries.forget() {
            self.deadlines.clear(TimerKey::QueryDeadline(forgotten));
        }
        if let Some(input) = self.queries.ask(id, query, self.limits.queries) {
            self.deadlines.start(TimerKey::QueryDeadline(id), self.limits.query_deadline);
            self.budget.begin(self.open());
            self.due.push(input);
        }
    }

    /// How many turns and questions are open.
    pub(super) fn open(&self) -> usize {
        self.turns.len().saturating_add(self.queries.len())
    }

    /// Takes what waits for nobody: cancels, closes and the mail. What is open is cancelled before the mail is taken: who
    /// gives a turn up and asks again is heard in this order. What was cancelled as soon as it was asked for is in the mail.
    pub(super) fn check_signals(&mut self) {
        self.hear();
        while self.takes_mail()
            && let Ok(mail) = self.inbox.try_recv()
        {
            self.take_mail(mail);
        }
        self.cancel_open();
        if self.inbox.is_empty() {
            // Nothing is on its way that these could be about.
            let Lists { closed, .. } = std::mem::take(&mut self.early);
            closed.into_iter().for_each(|session| self.close_session(session));
        }
        if self.signals.is_shut() {
            self.shutting = true;
            for turn in self.turns.ids() {
                self.cancel(turn, CancelCause::Owner);
            }
        }
    }

    fn hear(&mut self) {
        let lists = self.signals.take();
        self.early.cancelled.extend(lists.cancelled);
        self.early.closed.extend(lists.closed);
        self.cancel_open();
    }

    fn cancel_open(&mut self) {
        for turn in std::mem::take(&mut self.early.cancelled) {
            if self.turns.get_mut(turn).is_some() {
                self.cancel(turn, CancelCause::Owner);
            } else {
                self.early.cancelled.push(turn);
            }
        }
    }

    fn close_session(&mut self, session: SessionId) {
        for turn in self.turns.of_session(session) {
            self.cancel(turn, CancelCause::Owner);
        }
        if self.sessions.remove(&session).is_some() {
            self.due.push(Input::CloseSession(session));
        }
    }

    /// Asks the plugin to end a turn, once. A turn that is not open any more needs nothing.
    pub(super) fn cancel(&mut self, id: TurnId, cause: CancelCause) {
        let Some(turn) = self.turns.get_mut(id) else { return };
        if turn.cancelled.is_none() {
            turn.cancelled = Some(cause);
            turn.running.clear();
            turn.asked.clear();
            self.deadlines.clear(TimerKey::TurnDeadline(id));
            self.due.push(Input::CancelTurn(id));
        }
    }
}
