//! The plugin: which input goes to which turn.

use super::admit;
use super::dialect::Dialect;
use super::effect::Effect;
use super::queries::Queries;
use super::run::{Asked, Flow, Run, Step};
use crate::alarm::Alarm;
use crate::classify::{Failure, Fault};
use crate::turn::Turn;
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::CatalogEffect;
use llm_provider_guest::errors::Error;
use llm_provider_guest::http_types::RequestId;
use llm_provider_guest::provider::{self, Input, Setup};
use llm_provider_guest::types::{Instant, SessionId, TurnId};
use std::collections::{BTreeMap, BTreeSet};

/// A provider that is asked over HTTP, in a dialect. It keeps nothing of a conversation between turns: each brings the
/// whole, and the model sees exactly that.
#[derive(Debug)]
pub struct Completions<D: Dialect> {
    dialect: D,
    seed: u64,
    now: Instant,
    alarm: Alarm,
    sessions: BTreeSet<SessionId>,
    runs: BTreeMap<TurnId, Run<D::Reader>>,
    queries: Queries,
    /// Request ids are given in this order and never again.
    next_request: RequestId,
}

impl<D: Dialect> Plugin for Completions<D> {
    type Effect = Effect;

    fn configure(setup: Setup) -> Result<Self, Error> {
        Ok(Self {
            dialect: D::configure(&setup).map_err(|failure| failure.error())?,
            seed: setup.seed,
            now: 0,
            alarm: Alarm::default(),
            sessions: BTreeSet::new(),
            runs: BTreeMap::new(),
            queries: Queries::default(),
            next_request: 1,
        })
    }

    fn handle(&mut self, now: Instant, inputs: Vec<Input>, effects: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        for input in inputs {
            self.input(input, effects);
        }
        self.watch(effects);
    }
}

impl<D: Dialect> Completions<D> {
    fn input(&mut self, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::OpenSession(id) => {
                self.sessions.insert(id);
            }
            Input::CloseSession(id) => self.close_session(id, out),
            Input::StartTurn(turn) => self.start(turn, out),
            Input::CancelTurn(id) => self.cancel(id, "the turn was cancelled", out),
            Input::ToolResult(answer) => {
                self.step(answer.turn, out, |run, step| run.tool_result(answer.result, step));
            }
            Input::HttpResponse(head) => {
                if !self.queries.head(head.id, &head.response) {
                    self.asked(head.id, out, |run, step| run.head(head.response, step));
                }
            }
            Input::HttpChunk(bytes) => {
                if !self.queries.chunk(bytes.id, &bytes.data, out) {
                    self.asked(bytes.id, out, |run, step| run.chunk(&bytes.data, step));
                }
            }
            Input::HttpEnd(id) => {
                if !self.queries.end(&self.dialect, id, &mut self.next_request, out) {
                    self.asked(id, out, Run::end);
                }
            }
            Input::HttpFailed(fault) => {
                if !self.queries.failed(fault.id, &fault.failure, out) {
                    self.asked(fault.id, out, |run, step| run.broken(&fault.failure, step));
                }
            }
            Input::TimerFired(id) => {
                if self.alarm.fired(id) {
                    self.end_the_silent(out);
                }
            }
            Input::ListModels(id) => self.queries.ask(&self.dialect, id, &mut self.next_request, out),
            Input::ReadQuota(id) => {
                let failure = Failure::of(Fault::Unsupported, "this provider does not tell what is left of a quota");
                out.push(CatalogEffect::Quota(id, Err(failure.error())).into());
            }
            Input::Shutdown => self.shutdown(out),
            // This plugin starts no sidecar and asks for no permission, so these cannot come.
            Input::PermissionDecided(_)
            | Input::SidecarStarted(_)
            | Input::SidecarFailed(_)
            | Input::SidecarOutput(_)
            | Input::SidecarExited(_) => {}
        }
    }

    fn start(&mut self, asked: provider::Turn, out: &mut Vec<Effect>) {
        let provider::Turn { session, id, history, options } = asked;
        let settings = self.dialect.settings();
        let turn = Turn::new(id, None);
        let owner = options.tool_owner;
        let timeout = options.activity_timeout.filter(|ms| *ms > 0).unwrap_or(settings.activity_timeout);
        let admitted = self.free(session).and_then(|()| {
            let key = admit::call_key(self.seed, id, 0);
            admit::ask(history, options, settings, key)
        });
        match admitted {
            Err(failure) => turn.fail(failure.error(), out),
            Ok(ask) => {
                self.runs.insert(id, Run::new(session, turn, Asked { ask, owner, timeout }));
                self.step(id, out, Run::call);
            }
        }
    }

    fn free(&self, session: SessionId) -> Result<(), Failure> {
        if !self.sessions.contains(&session) {
            return Err(Failure::of(Fault::Invalid, "the session is not open"));
        }
        if self.runs.values().any(|run| run.session == session) {
            return Err(Failure::of(Fault::Invalid, "a turn is running in this session; one at a time"));
        }
        Ok(())
    }

    /// Takes a step of the turn whose request this is. Requests that were given up have none any more.
    fn asked(
        &mut self,
        request: RequestId,
        out: &mut Vec<Effect>,
        step: impl FnOnce(&mut Run<D::Reader>, &mut Step<'_, D>) -> Flow,
    ) {
        let turn = self.runs.iter().find(|(_, run)| run.request() == Some(request)).map(|(id, _)| *id);
        if let Some(turn) = turn {
            self.step(turn, out, step);
        }
    }

    fn step(
        &mut self,
        id: TurnId,
        out: &mut Vec<Effect>,
        step: impl FnOnce(&mut Run<D::Reader>, &mut Step<'_, D>) -> Flow,
    ) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let mut with =
            Step { dialect: &self.dialect, now: self.now, seed: self.seed, next_request: &mut self.next_request, out };
        let flow = step(run, &mut with);
        self.flow(id, flow, out);
    }

    fn flow(&mut self, id: TurnId, flow: Flow, out: &mut Vec<Effect>) {
        if matches!(flow, Flow::On) {
            return;
        }
        let Some(run) = self.runs.remove(&id) else { return };
        match flow {
            Flow::On => {}
            Flow::Answered(reason) => run.finish(reason, out),
            Flow::Failed(failure) => run.fail(failure, out),
        }
    }

    fn cancel(&mut self, id: TurnId, why: &str, out: &mut Vec<Effect>) {
        self.step(id, out, |_, _| Flow::Failed(Failure::of(Fault::Cancelled, why)));
    }

    fn close_session(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let turns: Vec<TurnId> = self.runs.iter().filter(|(_, run)| run.session == id).map(|(turn, _)| *turn).collect();
        turns.into_iter().for_each(|turn| self.cancel(turn, "the session was closed", out));
        self.sessions.remove(&id);
    }

    fn shutdown(&mut self, out: &mut Vec<Effect>) {
        let turns: Vec<TurnId> = self.runs.keys().copied().collect();
        for turn in turns {
            self.cancel(turn, "the turn was cancelled: the plugin is shutting down", out);
        }
        self.queries.give_up(out);
        self.alarm.disarm(out);
    }

    fn end_the_silent(&mut self, out: &mut Vec<Effect>) {
        let late = |run: &Run<D::Reader>| run.deadline().is_some_and(|at| at <= self.now);
        let turns: Vec<TurnId> = self.runs.iter().filter(|(_, run)| late(run)).map(|(id, _)| *id).collect();
        turns.into_iter().for_each(|turn| self.step(turn, out, Run::silent));
    }

    /// Stands the alarm at the earliest deadline.
    fn watch(&mut self, out: &mut Vec<Effect>) {
        if let Some(at) = self.runs.values().filter_map(Run::deadline).min() {
            self.alarm.arm(at, self.now, out);
        }
    }
}
