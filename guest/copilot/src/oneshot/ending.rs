//! What the end of a process means for its turn.

use super::OneShot;
use super::report;
use super::run::Run;
use super::session::Server;
use super::startup;
use crate::failure::{self, Failure};
use crate::port::Port;
use llm_provider_core::classify::Fault;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::sidecar_types::Exit;
use llm_provider_guest::types::{FinishReason, Message, Role, SessionId};

/// How often the CLI asks a model to go on that ran into its limit (PROTOCOL section 2, row "length").
const CONTINUATIONS: u32 = 2;

impl OneShot {
    /// Ends a turn whose process has ended; without an exit, whose process would not end.
    pub(super) fn conclude(&mut self, id: SessionId, exit: Option<&Exit>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(mut run) = session.run.take() else { return };
        let mut lines = std::mem::take(&mut run.lines);
        let cut_short = match lines.end() {
            Some(rest) => run.line(rest, &mut self.port).err(),
            None => None,
        };
        let outcome = match cut_short {
            Some(failure) => Err(failure),
            None => run.outcome(exit),
        };
        let total = exit.and_then(|exit| exit.report.as_deref()).and_then(report::usage);
        let reported = run.reported();
        if let Some(total) = &total {
            let cost = report::since(&reported, total);
            run.turn.add_usage(&cost, &mut self.port.out);
        }
        run.tell_unknown(&mut self.port);
        match outcome {
            Ok(reason) => {
                if total.is_none() {
                    let message = "the CLI left no report of its usage: the sums are zero".to_owned();
                    run.turn.notice(NoticeKind::Other("usage-missing".to_owned()), message, &mut self.port.out);
                }
                let blocks = run.turn.finish(reason, run.request_id, &mut self.port.out);
                let has = run.history.then(&Message { role: Role::Assistant, blocks });
                let server = Server { name: run.name, has, reported: total.unwrap_or(reported) };
                session.spoilt = run.tainted;
                session.server = (!run.tainted).then_some(server);
            }
            Err(failure) => {
                session.spoilt = true;
                run.turn.fail(failure.error(), &mut self.port.out);
            }
        }
    }
}

impl Run {
    /// One notice for everything that was not understood.
    pub(super) fn tell_unknown(&self, port: &mut Port) {
        if self.unknown > 0 {
            let message = format!("{} lines of kinds unknown to this plugin were ignored", self.unknown);
            self.turn.notice(NoticeKind::UnknownEventIgnored, message, &mut port.out);
        }
    }

    fn outcome(&mut self, exit: Option<&Exit>) -> Result<FinishReason, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        match (self.result, exit) {
            (Some(0), _) if self.filtered => Ok(FinishReason::ContentFilter),
            (Some(0), _) if self.stream.has_answer() => Ok(self.reason()),
            (Some(0), _) => Err(Failure::of(Fault::EmptyAnswer, "the model gave no answer")),
            (Some(code), _) => {
                let message = format!("the Copilot CLI reports a failure (code {code}) and does not say of what");
                Err(Failure::of(Fault::Provider, message))
            }
            (None, Some(exit)) if !self.turn.reach().request_sent => Err(startup::failure(exit)),
            (None, exit) => {
                let what = exit.map_or_else(|| "the Copilot CLI did not end".to_owned(), failure::exit);
                Err(Failure::of(Fault::SidecarExit, format!("{what}, before its answer was complete")))
            }
        }
    }

    /// The CLI does not say why the model stopped, but it goes on by itself when an answer ran into its limit. Only of
    /// the last part that it asks for nothing is known.
    fn reason(&self) -> FinishReason {
        if self.cuts < CONTINUATIONS { FinishReason::Stop } else { FinishReason::Other("unknown".to_owned()) }
    }
}
