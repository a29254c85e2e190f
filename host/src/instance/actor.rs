//! The actor: owns one sandbox, hands it what has happened, performs what it asks for.
//!
//! One `handle` call takes everything that waits (up to a batch). Its effects are performed in order after it. While a
//! turn's reader is behind, the actor waits for it: the mailbox fills, the readers of pipes and sockets stop, and the
//! peer waits. Nothing is dropped and nothing grows. Signals (cancel, drop) and mail (a question, a close) get through
//! meanwhile; for the reader of a cancelled turn nobody waits.

use super::log::PluginLog;
use super::mail::{Mail, Signals};
use super::observer::Observer;
use super::outside::Outside;
use super::queries::{Queries, Query};
use super::rates::{Budget, Pace};
use super::timers::{TimerKey, Timers};
use super::turns::{AttemptEnd, CancelCause, Delivered, OpenTurn, Turns};
use super::{Address, permissions, tools};
use crate::bindings::exports::llm::provider::provider::{Input, Turn};
use crate::bindings::llm::provider::events::Event;
use crate::bindings::llm::provider::types::{QueryId, SessionId, TurnId};
use crate::effect::Effect;
use crate::error::{HostError, PluginFault};
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::quota::{Hold, Quota, QuotaExceeded};
use crate::sandbox::{Sandbox, coarse};
use crate::secret::Secrets;
use crate::tasks;
use crate::tenant::Tenant;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Starts the actor of a configured sandbox. It ends when the last address is dropped, after `Mail::Close`, or on a fault.
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
        budget: Budget::new(&limits),
        pace: Pace::new(&limits, Instant::now()),
        log: PluginLog::new(&plugin.inspection().description.name, &limits),
        outside: Outside::new(tenant.clone(), secrets, sender),
        due: Vec::new(),
        closing: None,
        observer,
        tenant,
        limits,
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
    timers: Timers,
    budget: Budget,
    pace: Pace,
    log: PluginLog,
    outside: Outside,
    /// Inputs for the next call.
    due: Vec<Input>,
    /// Somebody closed the instance and waits for its end.
    closing: Option<oneshot::Sender<()>>,
    observer: Option<Arc<dyn Observer>>,
    tenant: Tenant,
    limits: Limits,
}

/// Why the actor ends.
enum End {
    /// All handles are gone, or somebody closed the instance.
    Closed(Option<oneshot::Sender<()>>),
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
            End::Closed(done) => {
                self.shut_down().await;
                self.close(done);
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
        self.closing.take().map_or(Ok(()), |done| Err(End::Closed(Some(done))))
    }

    async fn wait(&mut self) -> Result<(), End> {
        let alarm = self.timers.next();
        tokio::select! {
            biased;
            () = self.signals.wake.notified() => {}
            mail = self.inbox.recv() => match mail {
                Some(mail) => self.take_mail(mail),
                None => return Err(End::Closed(None)),
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

    /// A close waits for the end of the step, so that no effect is left out. It waits for no reader.
    fn take_mail(&mut self, mail: Mail) {
        match mail {
            Mail::StartTurn(turn, open) => self.start_turn(*turn, *open),
            Mail::Ask(id, query) => self.ask(id, query),
            Mail::Close(done) => {
                self.closing = Some(done);
                for turn in self.turns.ids() {
                    self.cancel(turn, CancelCause::Owner);
                }
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

    fn start_turn(&mut self, turn: Turn, open: OpenTurn) {
        if let Some(full) = self.full(turn.session) {
            return open.end(full);
        }
        if let Err(refused) = self.open_session(turn.session) {
            return open.end(refused);
        }
        self.timers.set(TimerKey::TurnDeadline(turn.id), open.deadline.at());
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

    fn ask(&mut self, id: QueryId, query: Query) {
        if let Some(input) = self.queries.ask(id, query, self.limits.queries) {
            self.timers.start(TimerKey::QueryDeadline(id), self.limits.query_deadline);
            self.budget.begin(self.open());
            self.due.push(input);
        }
    }

    /// How many turns and questions are open.
    fn open(&self) -> usize {
        self.turns.len().saturating_add(self.queries.len())
    }

    /// Cancels what was asked to be cancelled. The mail that waits is taken in between: a turn that is cancelled as soon
    /// as it is asked for is still in the mail, and its cancel would find nobody.
    fn check_signals(&mut self) {
        let lists = self.signals.take();
        while let Ok(mail) = self.inbox.try_recv() {
            self.take_mail(mail);
        }
        for turn in lists.cancelled {
            self.cancel(turn, CancelCause::Owner);
        }
        for session in lists.closed {
            for turn in self.turns.of_session(session) {
                self.cancel(turn, CancelCause::Owner);
            }
            if self.sessions.remove(&session).is_some() {
                self.due.push(Input::CloseSession(session));
            }
        }
    }

    /// Asks the plugin to end a turn, once. A turn that is not open any more needs nothing.
    fn cancel(&mut self, id: TurnId, cause: CancelCause) {
        let Some(turn) = self.turns.get_mut(id) else { return };
        if turn.cancelled.is_none() {
            turn.cancelled = Some(cause);
            turn.running.clear();
            turn.asked.clear();
            self.timers.clear(TimerKey::TurnDeadline(id));
            self.timers.start(TimerKey::CancelGrace(id), self.limits.cancel_grace);
            self.due.push(Input::CancelTurn(id));
        }
    }

    fn check_timers(&mut self) -> Result<(), PluginFault> {
        for key in self.timers.take_due(Instant::now()) {
            match key {
                TimerKey::Plugin(id) => self.due.push(Input::TimerFired(id)),
                TimerKey::TurnDeadline(id) => self.cancel(id, CancelCause::Deadline),
                TimerKey::QueryDeadline(id) => {
                    if let Some(query) = self.queries.take(id) {
                        query.fail(HostError::QueryDeadline(self.limits.query_deadline).into());
                    }
                }
                TimerKey::CancelGrace(id) => {
                    let grace = self.limits.cancel_grace;
                    return Err(PluginFault::Contract(format!("it did not end the cancelled turn {id} in {grace:?}")));
                }
            }
        }
        Ok(())
    }

    /// One call into the sandbox, on a thread for computing work, and its effects.
    async fn handle(&mut self) -> Result<(), End> {
        let inputs = std::mem::take(&mut self.due);
        let Some(mut sandbox) = self.sandbox.take() else { return Err(End::Closed(None)) };
        let ledger = &self.tenant.0.ledger;
        ledger.check(Quota::CpuMillis).map_err(PluginFault::Quota)?;
        let permit = self.tenant.0.cpu.acquire().await;
        let now = coarse(self.started);
        let call = tokio::task::spawn_blocking(move || {
            let (called, computed) = sandbox.handle_with(permit, now, &inputs);
            (sandbox, inputs, called, computed)
        });
        let (sandbox, inputs, called, computed) = call.await.map_err(|_| End::Closed(None))?;
        ledger.computed(computed);
        let effects = called?;
        self.budget.spend(computed, self.open())?;
        self.sandbox = Some(sandbox);
        if let Some(observer) = &self.observer {
            observer.handled(now, &inputs, &effects);
        }
        for effect in effects {
            self.paced(&effect).await;
            self.perform(effect).await?;
        }
        Ok(())
    }

    /// Waits until an effect may be performed: an instance asks for no more in a second than it may, and the other tasks of
    /// this thread go on between the effects of a large call. Signals and mail get through.
    async fn paced(&mut self, effect: &Effect) {
        tokio::task::consume_budget().await;
        while let Err(again) = self.pace.take(effect) {
            tokio::select! {
                () = tokio::time::sleep_until(again.into()) => {}
                () = self.signals.wake.notified() => self.check_signals(),
                Some(mail) = self.inbox.recv() => self.take_mail(mail),
            }
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<(), PluginFault> {
        match effect {
            Effect::Event(turn, event) => self.emit(turn, event).await?,
            Effect::SidecarStart(id, spec) => self.due.extend(self.outside.start_sidecar(id, &spec)),
            Effect::SidecarSend(id, data) => self.outside.send_sidecar(id, data).map_err(PluginFault::Contract)?,
            Effect::SidecarCloseInput(id) => self.outside.close_input(id),
            Effect::SidecarStop(id, mode) => self.outside.stop_sidecar(id, mode),
            Effect::HttpSend(id, request) => self.due.extend(self.outside.send_http(id, request)),
            Effect::HttpCancel(id) => self.outside.cancel_http(id),
            Effect::ToolInvoke(id, call) => match self.turns.get_mut(id) {
                Some(turn) => self.due.extend(tools::invoke(id, turn, call, &self.limits, self.sender.clone())?),
                None => {
                    return Err(PluginFault::Contract(format!("it invoked a tool for turn {id}, which is not open")));
                }
            },
            Effect::PermissionAsk(id, request) => match self.turns.get_mut(id) {
                Some(turn) => {
                    let policy = &self.tenant.0.policy.permissions;
                    permissions::ask(id, turn, request, policy, &self.limits, self.sender.clone());
                }
                None => {
                    let what = format!("it asked for a permission for turn {id}, which is not open");
                    return Err(PluginFault::Contract(what));
                }
            },
            Effect::CatalogModels(id, result) => {
                self.timers.clear(TimerKey::QueryDeadline(id));
                self.queries.models(id, result)?;
            }
            Effect::CatalogQuota(id, result) => {
                self.timers.clear(TimerKey::QueryDeadline(id));
                self.queries.quota(id, result)?;
            }
            Effect::TimerSet(id, after) => self.set_timer(id, after)?,
            Effect::TimerClear(id) => self.timers.clear(TimerKey::Plugin(id)),
            Effect::Log(level, text) => {
                let scrubber = &self.outside.scrubber;
                self.log.write(level, &text, |text| scrubber.text(text));
            }
        }
        Ok(())
    }

    /// Waits until the turn's reader has room. Signals and mail get through: who does not read may cancel and close.
    async fn room(&mut self, turn: TurnId) {
        while let Some(reader) = self.turns.awaited(turn) {
            tokio::select! {
                _ = reader.reserve() => return,
                () = self.signals.wake.notified() => self.check_signals(),
                Some(mail) = self.inbox.recv() => self.take_mail(mail),
            }
        }
    }

    async fn emit(&mut self, turn: TurnId, event: Event) -> Result<(), PluginFault> {
        if let Some((before, now)) = self.turns.spent(turn, &event) {
            self.tenant.0.ledger.reported(&before, &now);
        }
        self.room(turn).await;
        match self.turns.deliver(turn, event)? {
            Delivered::Ok => {}
            Delivered::ReaderGone => self.cancel(turn, CancelCause::Owner),
            Delivered::Ended => {
                self.timers.clear(TimerKey::TurnDeadline(turn));
                self.timers.clear(TimerKey::CancelGrace(turn));
            }
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

    fn set_timer(&mut self, id: u64, after: u64) -> Result<(), PluginFault> {
        let (configured, running) = (self.limits.timers, self.timers.of_plugin());
        if running >= configured && !self.timers.runs(TimerKey::Plugin(id)) {
            return Err(PluginFault::Limit { limit: "timers", configured, observed: running + 1 });
        }
        // A timer beyond a day is a mistake of the plugin; it fires after a day.
        let after = Duration::from_millis(after.min(86_400_000));
        self.timers.start(TimerKey::Plugin(id), after);
        Ok(())
    }

    /// Lets the plugin end its sidecars politely, for as long as the limit says.
    async fn shut_down(&mut self) {
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

    /// Tells all who wait that the instance is closed. What else is left ends with the actor: turns see their channel close,
    /// sidecars are killed with their handles. Nobody is told before the places it held are free.
    fn close(mut self, done: Option<oneshot::Sender<()>>) {
        let mails = self.undelivered();
        drop(self);
        for mail in mails {
            match mail {
                Mail::StartTurn(_, open) => open.end(HostError::Closed),
                Mail::Ask(_, query) => query.fail(HostError::Closed.into()),
                Mail::Close(done) => done.send(()).unwrap_or(()),
            }
        }
        done.map(|done| done.send(()));
    }

    /// Ends everything after a fault: one last item for each turn. What the plugin has not heard of goes back to who asked.
    /// Sidecars are killed with the actor. Nobody is told before the places it held are free.
    fn die(mut self, fault: &PluginFault) {
        tracing::warn!(%fault, "a plugin was stopped");
        let (mut turns, queries) = (std::mem::take(&mut self.turns), std::mem::take(&mut self.queries));
        let (due, mails) = (std::mem::take(&mut self.due), self.undelivered());
        drop(self);
        let not_asked = |turn: Turn| AttemptEnd::NotAsked(Box::new(turn), fault.clone());
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
                Mail::Close(done) => done.send(()).unwrap_or(()),
            }
        }
    }

    /// Shuts the mailbox, and takes what is in it.
    fn undelivered(&mut self) -> Vec<Mail> {
        self.inbox.close();
        std::iter::from_fn(|| self.inbox.try_recv().ok()).collect()
    }
}

async fn until(alarm: Option<Instant>) {
    match alarm {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
