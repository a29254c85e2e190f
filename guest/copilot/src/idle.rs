//! Ending a CLI that has nothing to do. Its sessions stay on disk, with turns that wait for the results of tools.

use crate::connection::Link;
use crate::plugin::Copilot;
use crate::port::Purpose;
use crate::session::{Chill, Lost};
use crate::wire::request::Nothing;
use llm_provider_guest::effects::SidecarEffect;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::log::Level;
use llm_provider_guest::sidecar::StopMode;

impl Copilot {
    /// Notes that a turn or a question has ended: when it was the last, the CLI has nothing to do from now on. One that
    /// others use too is theirs to end.
    pub(crate) fn note_idle(&mut self) {
        let busy = self.sessions.values().any(|session| session.run.is_some()) || !self.queries.is_empty();
        let shared = self.port.peer.as_ref().is_some_and(|peer| peer.shared);
        if busy || shared || !matches!(self.link, Link::Ready { .. }) {
            self.idle_since = None;
            return;
        }
        self.idle_since = Some(self.port.now);
        let at = self.port.now.saturating_add(self.port.config.idle_stop_ms);
        self.port.arm(at);
    }

    /// Ends the CLI politely, until it is needed again.
    pub(crate) fn rest(&mut self) {
        self.idle_since = None;
        let Link::Ready { id } = self.link else { return };
        self.link = Link::Resting { id };
        self.port.log(Level::Info, "the Copilot CLI has nothing to do and is ended".to_owned());
        let timeout = self.port.config.shutdown_timeout_ms;
        self.port.request_within(timeout, "runtime.shutdown", Nothing {}, Purpose::Rest);
    }

    /// It knows that it should end, or does not know the word: close its input.
    pub(crate) fn rested(&mut self) {
        if let Link::Resting { id } = self.link {
            self.port.hang_up();
            self.port.out.push(SidecarEffect::Stop(id, StopMode::Graceful).into());
        }
    }

    /// It has ended as it was asked to. What it had in memory is on disk; whoever came meanwhile has it started again.
    pub(crate) fn woken(&mut self) {
        self.link = Link::Idle;
        self.remember_left();
        self.port.hang_up();
        self.names.clear();
        self.restarts.rested();
        let mut unkept = Vec::new();
        for session in self.sessions.values_mut() {
            self.left.extend(session.rested());
            let Some(run) = &mut session.run else { continue };
            match run.chill() {
                Chill::Same => {}
                Chill::Woken => {
                    let message = "the session is taken up again; the Copilot CLI was just being ended".to_owned();
                    run.turn.notice(NoticeKind::Resumed, message, &mut self.port.out);
                }
                Chill::Unkept => unkept.push(session.id),
            }
        }
        for id in unkept {
            match self.reseed(id, Lost::Unkept) {
                Ok(old) => self.delete(old),
                Err(failure) => self.fail_turn(id, &failure, false),
            }
        }
        let waited_for = self.sessions.values().any(|session| session.run.is_some()) || !self.queries.is_empty();
        if waited_for {
            self.need_sidecar();
        }
    }
}
