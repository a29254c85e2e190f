//! Deadlines: of requests, of silent turns, of the wait before a restart.

use crate::connection::Link;
use crate::failure::Failure;
use crate::plugin::Copilot;
use crate::port::Purpose;
use crate::session::Run;
use crate::start::runs;
use llm_provider_core::classify::Fault;
use llm_provider_guest::timers::TimerId;
use llm_provider_guest::types::{Instant, SessionId};

impl Copilot {
    /// The alarm: acts on everything that is due and sets it anew.
    pub(crate) fn timer_fired(&mut self, timer: TimerId) {
        if !self.port.fired(timer) {
            return;
        }
        for purpose in self.port.calls.expire(self.port.now) {
            self.expired(purpose);
        }
        self.silent_turns();
        if matches!(self.link, Link::Backoff { until } if until <= self.port.now) {
            self.need_sidecar();
        }
        if self.idle_since.is_some_and(|since| since.saturating_add(self.port.config.idle_stop_ms) <= self.port.now) {
            self.rest();
        }
        if let Some(at) = self.earliest() {
            self.port.arm(at);
        }
    }

    /// A request was not answered in time.
    fn expired(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Connect | Purpose::Ping | Purpose::Offer => {
                let message = format!(
                    "the Copilot CLI did not answer the handshake within {} ms",
                    self.port.config.connect_timeout_ms
                );
                self.abandon_sidecar(&Failure::of(Fault::Timeout, message));
            }
            Purpose::Probe => {
                let message = format!(
                    "the Copilot CLI does not answer; a ping got nothing within {} ms",
                    self.port.config.ping_timeout_ms
                );
                self.abandon_sidecar(&Failure::of(Fault::Timeout, message));
            }
            Purpose::Shutdown | Purpose::Farewell => self.stop_sidecar(),
            Purpose::Rest => self.rested(),
            Purpose::Query(id, question) => {
                let timeout = self.port.config.request_timeout_ms;
                let message = format!("the Copilot CLI did not answer within {timeout} ms");
                self.port.refuse_query(id, question, &Failure::of(Fault::Timeout, message));
                self.port.probe();
                self.note_idle();
            }
            Purpose::Step { step, session, turn, name } => {
                if runs(self.sessions.get(&session), turn, &name) {
                    let what = step.what();
                    let timeout = self.port.config.request_timeout_ms;
                    let message = format!("the Copilot CLI did not answer {what} within {timeout} ms");
                    self.fail_turn(session, &Failure::of(Fault::Timeout, message), true);
                }
                self.port.probe();
            }
            Purpose::Abort { name } | Purpose::Destroy { name } | Purpose::Delete { name } => {
                self.left.insert(name);
                self.port.probe();
            }
            Purpose::ToolAnswer | Purpose::Permission | Purpose::Response(_) => self.port.probe(),
        }
    }

    fn silent_turns(&mut self) {
        let now = self.port.now;
        let due = |run: &Run| run.deadline().is_some_and(|at| at <= now);
        let silent: Vec<SessionId> = self
            .sessions
            .values()
            .filter(|session| session.run.as_ref().is_some_and(due))
            .map(|session| session.id)
            .collect();
        for id in silent {
            let Some(run) = self.sessions.get_mut(&id).and_then(|session| session.run.as_mut()) else { continue };
            if run.over(now) {
                self.answer_turn(id);
                continue;
            }
            if let Some(failure) = run.told_failure() {
                self.fail_turn(id, &failure, true);
                continue;
            }
            let message = format!("nothing came from the model for {} ms", run.options.activity_timeout);
            self.fail_turn(id, &Failure::of(Fault::Timeout, message), true);
            self.port.probe();
        }
    }

    fn earliest(&self) -> Option<Instant> {
        let turns = self.sessions.values().filter_map(|session| session.run.as_ref()).filter_map(Run::deadline);
        let backoff = match self.link {
            Link::Backoff { until } => Some(until),
            _ => None,
        };
        let rest = self.idle_since.map(|since| since.saturating_add(self.port.config.idle_stop_ms));
        turns.chain(self.port.calls.earliest()).chain(backoff).chain(rest).min()
    }
}
