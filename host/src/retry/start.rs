//! Hands one attempt to the plugin.

use super::control::Control;
use super::health::{Admission, Health};
use crate::bindings::exports::llm::provider::provider::{Turn as WitTurn, TurnOptions};
use crate::bindings::llm::provider::errors::Error as ProviderError;
use crate::bindings::llm::provider::types::{Message, SessionId, TurnId};
use crate::error::{HostError, TurnError};
use crate::instance::{Address, Called, Instance, Mail, OpenTurn, Toolbox, TurnItem};
use crate::quota::Quota;
use crate::session::TurnRequest;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What a turn asks, and of whom: the same for all its attempts.
pub(crate) struct Asked {
    pub(super) instance: Instance,
    session: SessionId,
    known_to: Arc<KnownTo>,
    pub(super) request: TurnRequest,
    /// Its tools, with their schemas compiled.
    tools: Arc<Toolbox>,
    /// Calls of tools in any of the attempts: none runs twice.
    pub(super) called: Called,
}

/// An attempt that was handed over.
pub(super) struct Begun {
    pub(super) stream: mpsc::Receiver<TurnItem>,
    pub(super) address: Address,
}

/// When a turn must be over, its waits included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) allowed: Duration,
    /// `None` when it lies beyond what a clock can tell.
    at: Option<Instant>,
}

/// Another attempt that is wanted.
pub(super) struct Again {
    pub(super) asked: Arc<Asked>,
    pub(super) control: Arc<Control>,
    pub(super) health: Arc<Health>,
    pub(super) deadline: Deadline,
    /// Not before.
    pub(super) due: Instant,
    /// Where the last attempt ran.
    pub(super) address: Address,
    /// A fresh instance will do, should that one be gone.
    pub(super) fresh_session: bool,
    /// How the last attempt failed: the turn's end, if there is no other attempt.
    pub(super) failure: ProviderError,
}

impl Asked {
    pub(crate) fn new(
        instance: Instance,
        session: SessionId,
        known_to: Arc<KnownTo>,
        request: TurnRequest,
        tools: Arc<Toolbox>,
    ) -> Self {
        Self { instance, session, known_to, request, tools, called: Called::default() }
    }

    /// The conversation that is asked with.
    pub(crate) fn history(&self) -> &[Message] {
        &self.request.history
    }

    /// The conversation for an attempt after which none needs it any more.
    pub(super) fn take_history(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.request.history)
    }

    /// Hands an attempt to an actor. Cancelling it works from then on, with nothing in between.
    ///
    /// # Cancel safety
    /// Dropping the future asks nothing.
    pub(super) async fn begin(
        &self,
        address: Address,
        history: Vec<Message>,
        allowed: Duration,
        control: &Control,
    ) -> Result<Begun, TurnError> {
        let shared = &self.instance.0;
        for spent in [Quota::Tokens, Quota::PremiumRequests] {
            shared.tenant.0.ledger.check(spent)?;
        }
        let (events, stream) = mpsc::channel(shared.tenant.0.limits.turn_events);
        let id = shared.next_id();
        let mut open = OpenTurn::new(self.session, events, Arc::clone(&self.tools), allowed);
        open.called = self.called.clone();
        let turn = Box::new(self.turn(id, history));
        let mut address = address;
        // An instance that breaks its contract after a turn's last event ends while the next turn is on its way to it: that
        // turn has the fresh one, as if it had come a moment later.
        if let Err(mpsc::error::SendError(mail)) = address.mail.send(Mail::StartTurn(turn, Box::new(open))).await {
            address = shared.address().await?;
            address.mail.send(mail).await.map_err(|_| HostError::Closed)?;
        }
        self.known_to.note(self.session, &address);
        control.attach(id, &address.signals);
        Ok(Begun { stream, address })
    }

    fn turn(&self, id: TurnId, history: Vec<Message>) -> WitTurn {
        let request = &self.request;
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let options = TurnOptions {
            model: request.model.clone(),
            system: request.system.clone(),
            tools: request.tools.iter().map(|tool| tool.definition()).collect(),
            tool_owner: request.tool_owner,
            tool_choice: request.tool_choice.clone(),
            provider_tools: self.instance.0.tenant.0.policy.provider_tools.iter().cloned().collect(),
            max_output_tokens: request.max_output_tokens,
            reasoning_effort: request.reasoning_effort.clone(),
            sampling: request.sampling,
            stop_sequences: request.stop_sequences.clone(),
            output_schema: request.output_schema.clone(),
            activity_timeout: request.activity_timeout.map(milliseconds),
        };
        WitTurn { session: self.session, id, history, options }
    }
}

impl Deadline {
    pub(super) fn new(allowed: Duration) -> Self {
        Self { allowed, at: Instant::now().checked_add(allowed) }
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        self.at.map_or(self.allowed, |at| at.saturating_duration_since(Instant::now()))
    }

    /// The turn's end when it has passed, as its owner knows it.
    pub(super) fn passed(&self) -> TurnError {
        HostError::TurnDeadline(self.allowed).into()
    }
}

impl Again {
    /// Waits, asks the breaker, and hands the attempt over.
    ///
    /// # Errors
    /// What ends the turn instead.
    pub(super) async fn begin(self) -> Result<(Begun, Admission), TurnError> {
        match tokio::time::timeout_at(self.due, self.address.mail.closed()).await {
            Err(_) => {}
            Ok(()) if self.fresh_session && !self.address.signals.is_shut() => tokio::time::sleep_until(self.due).await,
            Ok(()) => return Err(self.gone()),
        }
        let policy = &self.asked.request.retry;
        let admitted = self.health.admit(policy, Instant::now().into_std(), false);
        let Ok(admission) = admitted else { return Err(self.failure.into()) };
        let left = self.deadline.left();
        match tokio::time::timeout(left, self.hand_over(left)).await {
            Ok(begun) => Ok((begun?, admission)),
            Err(_) => Err(self.deadline.passed()),
        }
    }

    async fn hand_over(&self, left: Duration) -> Result<Begun, TurnError> {
        let same = !self.fresh_session;
        let address = if same { self.address.clone() } else { self.asked.instance.0.address().await? };
        let history = self.asked.request.history.clone();
        let begun = self.asked.begin(address, history, left, &self.control).await;
        begun.map_err(|error| if same { self.gone() } else { error })
    }

    /// The end of a turn whose instance is gone: closed by its owner, or stopped under another turn.
    fn gone(&self) -> TurnError {
        if self.address.signals.is_shut() { HostError::Closed.into() } else { self.failure.clone().into() }
    }
}

/// The actor that knows a session, to be told when the session ends.
#[derive(Default)]
pub(crate) struct KnownTo(Mutex<Knowing>);

#[derive(Default)]
struct Knowing {
    address: Option<Address>,
    closed: bool,
}

impl KnownTo {
    /// An actor was given a turn of the session. A session that has ended meanwhile ends there too.
    fn note(&self, session: SessionId, address: &Address) {
        let mut knowing = self.lock();
        if knowing.closed {
            address.signals.close(session);
        } else {
            knowing.address = Some(address.clone());
        }
    }

    /// Ends the session.
    pub(crate) fn close(&self, session: SessionId) {
        let mut knowing = self.lock();
        knowing.closed = true;
        if let Some(address) = knowing.address.take() {
            address.signals.close(session);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Knowing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
