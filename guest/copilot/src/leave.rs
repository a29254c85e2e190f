//! Letting go of server sessions. Nobody comes back to a name that was left, and the CLI keeps every prompt on disk under
//! it: so it is unloaded, and then deleted (PROTOCOL section 3).

use crate::connection::Link;
use crate::plugin::Copilot;
use crate::port::Purpose;
use crate::reconcile::{Plan, Server};
use crate::session::{Run, Stage};
use crate::wire::request::Named;
use std::collections::BTreeSet;

impl Copilot {
    /// Lets go of a server session that another takes the place of.
    pub(crate) fn leave(&mut self, server: Server) {
        match (server.cold, server.pending) {
            (true, _) => self.delete(server.name),
            (false, Some(_)) => self.abort(&server.name),
            (false, None) => self.destroy(&server.name),
        }
    }

    /// Stops what runs in a server session, then lets go of it.
    pub(crate) fn abort(&mut self, name: &str) {
        let name = name.to_owned();
        self.let_go("session.abort", name.clone(), Purpose::Abort { name });
    }

    /// Lets go of a server session.
    pub(crate) fn destroy(&mut self, name: &str) {
        let name = name.to_owned();
        self.let_go("session.destroy", name.clone(), Purpose::Destroy { name });
    }

    /// Deletes a server session that is not in memory.
    pub(crate) fn delete(&mut self, name: String) {
        self.let_go("session.delete", name.clone(), Purpose::Delete { name });
    }

    /// A step of letting go; it waits where there is no CLI that could take it.
    fn let_go(&mut self, method: &str, name: String, purpose: Purpose) {
        self.port.give_up_all(Some(&name));
        self.names.remove(&name);
        if matches!(self.link, Link::Ready { .. }) {
            self.port.request(method, Named { session_id: &name }, purpose);
        } else {
            self.left.insert(name);
        }
    }

    /// Lets go of the server session of a turn that did not end well; `abort` when the CLI is still at it.
    pub(crate) fn retire(&mut self, name: &str, stage: Stage, abort: bool) {
        match stage {
            Stage::Waiting => self.delete(name.to_owned()),
            // Its opening is on its way; the answer finds nobody and lets go of it. Anything already open is let go here.
            Stage::Opening => self.destroy(name),
            Stage::Sending | Stage::Running if abort => self.abort(name),
            Stage::Sending | Stage::Running => self.destroy(name),
        }
    }

    /// The CLI can be used: what was left while there was none is deleted.
    pub(crate) fn delete_left(&mut self) {
        for name in std::mem::take(&mut self.left) {
            self.delete(name);
        }
    }

    /// The CLI has ended: what was about to be let go is on disk only.
    pub(crate) fn remember_left(&mut self) {
        let open = self.port.calls.take(|purpose| left(purpose).is_some());
        self.left.extend(open.iter().filter_map(left).map(str::to_owned));
    }

    /// Every server session that may be there: with the instance, nobody is left who knows their names.
    pub(crate) fn leave_all(&mut self) -> BTreeSet<String> {
        let mut names = std::mem::take(&mut self.left);
        names.extend(self.names.take());
        let servers = self.sessions.values_mut().filter_map(|session| session.server.take());
        names.extend(servers.map(|server| server.name));
        names
    }
}

fn left(purpose: &Purpose) -> Option<&str> {
    match purpose {
        Purpose::Abort { name } | Purpose::Destroy { name } | Purpose::Delete { name } => Some(name),
        _ => None,
    }
}

impl Run {
    /// The server session of the turn, if it may be there already.
    pub(crate) fn has(&self) -> Option<&str> {
        let unborn = self.stage == Stage::Waiting && matches!(self.way, Plan::Create { .. });
        (!unborn).then_some(&*self.name)
    }
}
