//! The actor: owns one sandbox, hands it what has happened, performs what it asks for.
//!
//! One `handle` call takes everything that waits (up to a batch). Its effects are performed in order after it. While a
//! turn's reader is behind, the actor waits for it: the mailbox fills, the readers of pipes and sockets stop, and the
//! peer waits. Nothing is dropped and nothing grows. Signals (cancel, drop) and mail (a question, a close) get through
//! meanwhile; for the reader of a cancelled turn nobody waits.

mod ending;
mod intake;
mod performing;

use super::Address;
use super::log::PluginLog;
use super::mail::{EndsWithActor, Lists, Mail, Signals};
use super::observer::Observer;
use super::outside::Outside;
use super::queries::Queries;
use super::rates::{Budget, Pace};
use super::timers::{TimerKey, Timers};
use super::turns::{CancelCause, Turns};
use crate::bindings::exports::llm::provider::provider::Input;
use crate::bindings::llm::provider::types::SessionId;
use crate::error::{HostError, PluginFault};
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::quota::{Hold, Quota};
use crate::sandbox::{Sandbox, coarse};
use crate::secret::Secrets;
use crate::tasks;
use crate::tenant::Tenant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Starts the actor of a configured sandbox. It ends when the last address is dropped, when it is shut, or on a fault.
pub(super) fn start(
    tenant: Tenant,
    plugin: &Plugin,
    sandbox: Sandbox,
    secrets: Arc<Secrets>,
    hold: Hold,
    observer: Option<Arc<dyn Observer>>,
) -> Address {
    let limits = tenant.0.limits.clone();
    let (mail, inbox) = mpsc::channel(limits.mailbox);
    let (sender, inputs) = mpsc::channel(limits.mailbox);
    let signals = Arc::new(Signals::default());
    let actor = Actor {
        sandbox: Some(sandbox),
        started: Instant::now(),
        inbox,
        inputs,
        sender: sender.clone(),
        signals: Arc::clone(&signals),
        turns: Turns::default(),
        queries: Queries::default(),
        sessions: BTreeMap::new(),
        _hold: hold,
        timers: Timers::default(),
        deadlines: Timers::default(),
        budget: Budget::new(&limits),
        pace: Pace::new(&limits, Instant::now()),
        log: PluginLog::new(&plugin.inspection().description.name, &limits),
        outside: Outside::new(tenant.clone(), secrets, sender),
        due: Vec::new(),
        due_bytes: 0,
        early: Lists::default(),
        shutting: false,
        observer,
        tenant,
        limits,
        _end: EndsWithActor(Arc::clone(&signals)),
    };
    tasks::spawn_actor(actor.run());
    Address { mail, signals }
}

struct Actor {
    sandbox: Option<Sandbox>,
    started: Instant,
    inbox: mpsc::Receiver<Mail>,
    inputs: mpsc::Receiver<Input>,
    sender: mpsc::Sender<Input>,
    signals: Arc<Signals>,
    turns: Turns,
    queries: Queries,
    sessions: BTreeMap<SessionId, Hold>,
    /// The instance's place among those of its tenant.
    _hold: Hold,
    /// The plugin's, and how long it may take over cancels: both wait for what the host performs.
    timers: Timers,
    /// Those of turns and questions, which wait for nothing.
    deadlines: Timers,
    budget: Budget,
    pace: Pace,
    log: PluginLog,
    outside: Outside,
    /// Inputs for the next call.
    due: Vec<Input>,
    /// Bytes of the conversations among them.
    due_bytes: usize,
    /// Cancels and closes that came before the mail they are about.
    early: Lists,
    /// The end has begun: nothing new is taken.
    shutting: bool,
    observer: Option<Arc<dyn Observer>>,
    tenant: Tenant,
    limits: Limits,
    /// The last to go.
    _end: EndsWithActor,
}

/// Why the actor ends.
enum End {
    /// All handles are gone, or somebody closed the instance.
    Closed,
    Fault(PluginFault),
}

impl From<PluginFault> for End {
    fn from(fault: PluginFault) -> Self {
        Self::Fault(fault)
    }
}

impl Actor {
    async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        match end {
            End::Closed => {
                self.shut_down().await;
                self.close();
            }
            End::Fault(fault) => self.die(&fault),
        }
    }

    /// Waits for something to happen, then handles all that has.
    async fn step(&mut self) -> Result<(), End> {
        if self.due.is_empty() {
            self.wait().await?;
        }
        self.drain();
        self.check_signals();
        self.check_timers()?;
        // Once: what the call led to waits for the next step, so that a plugin that always asks for more hears a cancel.
        if !self.due.is_empty() {
            self.handle().await?;
        }
        if self.signals.is_shut() { Err(End::Closed) } else { Ok(()) }
    }

    async fn wait(&mut self) -> Result<(), End> {
        let alarm = self.timers.next().into_iter().chain(self.deadlines.next()).min();
        tokio::select! {
            biased;
            () = self.signals.wake.notified() => {}
            mail = self.inbox.recv() => match mail {
                Some(mail) => self.take_mail(mail),
                None => return Err(End::Closed),
            },
            Some(input) = self.inputs.recv() => self.take(input),
            () = until(alarm) => {}
        }
        Ok(())
    }

    /// Takes what waits besides, up to a batch: one call for many inputs costs much less than many calls.
    fn drain(&mut self) {
        while self.due.len() < self.limits.batch_inputs {
            match self.inputs.try_recv() {
                Ok(input) => self.take(input),
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, input: Input) {
        match &input {
            Input::SidecarExited(end) => self.outside.ended(end.id),
            Input::SidecarFailed(fault) => self.outside.ended(fault.id),
            Input::ToolResult(answer) => match self.turns.get_mut(answer.turn) {
                Some(turn) => drop(turn.running.remove(&answer.result.call_id)),
                None => return, // the turn ended while the tool ran
            },
            Input::PermissionDecided(answer) => match self.turns.get_mut(answer.turn) {
                Some(turn) => drop(turn.asked.remove(&answer.id)),
                None => return, // the turn ended while the policy decided
            },
            _ => {}
        }
        self.due.push(input);
    }

    fn check_timers(&mut self) -> Result<(), PluginFault> {
        self.check_deadlines();
        for key in self.timers.take_due(Instant::now()) {
            match key {
                TimerKey::Plugin(id) => self.due.push(Input::TimerFired(id)),
                TimerKey::CancelGrace(id) => {
                    let grace = self.limits.cancel_grace;
                    return Err(PluginFault::Contract(format!("it did not end the cancelled turn {id} in {grace:?}")));
                }
                TimerKey::TurnDeadline(_) | TimerKey::QueryDeadline(_) => {}
            }
        }
        Ok(())
    }

    /// What its owner gave a turn or a question.
    fn check_deadlines(&mut self) {
        for key in self.deadlines.take_due(Instant::now()) {
            match key {
                TimerKey::TurnDeadline(id) => self.cancel(id, CancelCause::Deadline),
                TimerKey::QueryDeadline(id) => {
                    if let Some(query) = self.queries.take(id) {
                        query.fail(HostError::QueryDeadline(self.limits.query_deadline).into());
                    }
                }
                TimerKey::Plugin(_) | TimerKey::CancelGrace(_) => {}
            }
        }
    }

    /// One call into the sandbox, on a thread for computing work, and its effects.
    async fn handle(&mut self) -> Result<(), End> {
        self.due_bytes = 0;
        let mut inputs = std::mem::take(&mut self.due);
        inputs.retain(|input| self.outside.awaits(input));
        if inputs.is_empty() {
            return Ok(());
        }
        let Some(mut sandbox) = self.sandbox.take() else { return Err(End::Closed) };
        let ledger = &self.tenant.0.ledger;
        ledger.check(Quota::CpuMillis).map_err(PluginFault::Quota)?;
        let permit = self.tenant.0.cpu.acquire().await;
        let now = coarse(self.started);
        let call = tokio::task::spawn_blocking(move || {
            let (called, computed) = sandbox.handle_with(permit, now, &inputs);
            (sandbox, inputs, called, computed)
        });
        let (sandbox, inputs, called, computed) = call.await.map_err(|_| End::Closed)?;
        ledger.computed(computed);
        let effects = called?;
        self.budget.spend(computed, self.open())?;
        self.sandbox = Some(sandbox);
        if let Some(observer) = &self.observer {
            observer.handled(now, &inputs, &effects);
        }
        self.perform_all(effects).await?;
        self.begin_graces(&inputs);
        Ok(())
    }

    /// The plugin has heard of cancels: from now on it has so long.
    fn begin_graces(&mut self, inputs: &[Input]) {
        for input in inputs {
            if let Input::CancelTurn(id) = input
                && self.turns.get_mut(*id).is_some()
            {
                self.timers.start(TimerKey::CancelGrace(*id), self.limits.cancel_grace);
            }
        }
    }
}

async fn until(alarm: Option<Instant>) {
    match alarm {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
