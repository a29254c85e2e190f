//! Answers to our requests, and the ends of turns.

use crate::failure::{self, Failure};
use crate::plugin::Copilot;
use crate::port::{Purpose, Step};
use crate::session::{Lost, Run, permission};
use crate::start::runs;
use crate::wire::reply::{Sent, Taken};
use llm_provider_core::classify::Fault;
use llm_provider_core::rpc::{METHOD_NOT_FOUND, RpcError};
use llm_provider_guest::log::Level;
use llm_provider_guest::provider::{PermissionAnswer, ToolAnswer};
use llm_provider_guest::types::{SessionId, TurnId};
use serde_json::value::RawValue;

impl Copilot {
    /// An answer of the CLI to the request that was for `purpose`.
    pub(crate) fn answered(&mut self, purpose: Purpose, outcome: Result<&RawValue, RpcError>) {
        match purpose {
            Purpose::Connect => self.shaken(outcome, true),
            Purpose::Ping => self.shaken(outcome, false),
            Purpose::Offer => self.offered(outcome),
            Purpose::Response(id) => self.response_taken(id, outcome),
            Purpose::Probe => self.port.probing = false,
            Purpose::Shutdown => self.stop_sidecar(),
            Purpose::Farewell => self.leave_taken(),
            Purpose::Step { step, session, turn, name } => self.step_answered(step, session, turn, &name, outcome),
            Purpose::ToolAnswer | Purpose::Permission => {
                if let Err(error) = outcome {
                    self.port.log(Level::Warn, format!("the CLI did not take an answer: {}", error.message));
                }
            }
            Purpose::Abort { name } => self.destroy(&name),
            Purpose::Query(id, question) => self.told(id, question, outcome),
            Purpose::Rest => self.rested(),
            Purpose::Destroy { name } => self.delete(name),
            // Versions that do not know it keep what they have.
            Purpose::Delete { .. } => {}
        }
    }

    fn step_answered(
        &mut self,
        step: Step,
        id: SessionId,
        turn: TurnId,
        name: &str,
        outcome: Result<&RawValue, RpcError>,
    ) {
        if !runs(self.sessions.get(&id), turn, name) {
            // The turn was cancelled meanwhile; what was opened for it is of no use to anybody.
            if matches!(step, Step::Create | Step::Resume) && outcome.is_ok() {
                self.destroy(name);
            }
            return;
        }
        match (step, outcome) {
            (Step::Answer, Ok(raw)) if !taken(raw) => self.forgotten(id, "the results of the tools"),
            (Step::Send, Ok(raw)) => {
                let sent: Option<Sent> = serde_json::from_str(raw.get()).ok();
                let message_id = sent.and_then(|sent| sent.message_id).map(|id| id.0.into_owned());
                self.stepped(step, id, message_id);
            }
            // Unloading what is not loaded is no failure.
            (_, Ok(_)) | (Step::Release, Err(_)) => self.stepped(step, id, None),
            // Old versions have no place for the options, and little of what they switch off.
            (Step::Configure, Err(error)) => {
                if error.code != METHOD_NOT_FOUND {
                    self.port
                        .log(Level::Warn, format!("the CLI did not take the session's options: {}", error.message));
                }
                self.stepped(step, id, None);
            }
            (step, Err(error)) => {
                let failure = failure::refused(step.what(), &error);
                if failure.fault == Fault::SessionLost && self.fall_back(id) {
                    return;
                }
                self.fail_turn(id, &failure, matches!(step, Step::Steer | Step::Answer));
            }
        }
    }

    /// The server does not know what it was to go on with.
    fn forgotten(&mut self, id: SessionId, what: &str) {
        if !self.fall_back(id) {
            let message = format!("the Copilot CLI did not take {what}: it does not wait for them any more");
            self.fail_turn(id, &Failure::of(Fault::SessionLost, message), true);
        }
    }

    /// A turn failed. Its server session is not used again; `abort` when the CLI is still at it.
    pub(crate) fn fail_turn(&mut self, id: SessionId, failure: &Failure, abort: bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(run) = session.run.take() else { return };
        session.lost = Some(Lost::Spoilt);
        run.tell_unknown(&mut self.port);
        let (name, stage) = (run.has().map(str::to_owned), run.stage);
        run.turn.fail(failure.error(), &mut self.port.out);
        if let Some(name) = name {
            self.retire(&name, stage, abort);
        }
        self.note_idle();
    }

    /// A turn was answered.
    pub(crate) fn answer_turn(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(run) = session.run.take() else { return };
        let name = run.name.clone();
        session.server = run.answered(&mut self.port);
        if session.server.is_none() {
            session.lost = Some(Lost::Spoilt);
            self.destroy(&name);
        }
        self.note_idle();
    }

    /// The model wants tools called that the caller runs: the turn ends, and the server's goes on waiting.
    pub(crate) fn suspend_turn(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(run) = session.run.take() else { return };
        let name = run.name.clone();
        session.server = run.suspended(&mut self.port);
        if session.server.is_none() {
            session.lost = Some(Lost::Spoilt);
            self.abort(&name);
        }
        self.note_idle();
    }

    /// The owner wants no more of a turn. It ends at once: its server session is left behind, so nothing late of it can
    /// reach another turn, and waiting for the CLI would only make the owner wait.
    pub(crate) fn cancel_turn(&mut self, turn: TurnId) {
        let runs = |run: &Run| run.turn.id() == turn;
        let found = self.sessions.values().find(|session| session.run.as_ref().is_some_and(runs)).map(|found| found.id);
        if let Some(id) = found {
            self.fail_turn(id, &Failure::of(Fault::Cancelled, "the turn was cancelled"), true);
        }
    }

    /// A conversation is over.
    pub(crate) fn close_session(&mut self, id: SessionId) {
        self.fail_turn(id, &Failure::of(Fault::Cancelled, "the session was closed"), true);
        let server = self.sessions.remove(&id).and_then(|session| session.server);
        if let Some(server) = server {
            self.leave(server);
        }
    }

    /// The host has decided on a permission.
    pub(crate) fn permission_decided(&mut self, answer: PermissionAnswer) {
        let runs = |run: &&mut Run| run.turn.id() == answer.turn;
        let run = self.sessions.values_mut().filter_map(|session| session.run.as_mut()).find(runs);
        if let Some(run) = run {
            permission::decided(run, &answer.id, answer.decision, &mut self.port);
            run.heard = self.port.now;
            run.arm(&mut self.port);
        }
    }

    /// A tool has answered.
    pub(crate) fn tool_result(&mut self, answer: ToolAnswer) {
        let runs = |run: &&mut Run| run.turn.id() == answer.turn;
        let Some(run) = self.sessions.values_mut().filter_map(|session| session.run.as_mut()).find(runs) else {
            return;
        };
        run.tools.answer(&run.name, answer.result, &run.turn, &mut self.port);
        run.heard = self.port.now;
        run.arm(&mut self.port);
    }
}

/// Whether the CLI took a result. An answer that says nothing counts as yes.
fn taken(raw: &RawValue) -> bool {
    serde_json::from_str::<Taken>(raw.get()).map_or(true, |taken| taken.success)
}
