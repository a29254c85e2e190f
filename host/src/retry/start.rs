//! Hands one attempt to the plugin.

use super::control::Control;
use super::health::{Admission, Health};
use crate::bindings::exports::llm::provider::provider::{Turn as WitTurn, TurnOptions};
use crate::bindings::llm::provider::errors::Error as ProviderError;
use crate::bindings::llm::provider::types::{Message, SessionId, TurnId};
use crate::deadline::Deadline;
use crate::error::{HostError, TurnError};
use crate::instance::{Address, Called, Instance, Mail, OpenTurn, Queued, Toolbox};
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
    /// Bytes of it that a model reads.
    bytes: usize,
    /// Its tools, with their schemas compiled.
    tools: Arc<Toolbox>,
    /// Calls of tools in any of the attempts: none runs twice.
    pub(super) called: Called,
}

/// An attempt that was handed over.
pub(super) struct Begun {
    pub(super) stream: mpsc::Receiver<Queued>,
    pub(super) address: Address,
}

/// Which instance an attempt may have.
pub(super) enum Place {
    /// The one that runs, or a fresh one.
    Any,
    /// This one and no other.
    Only(Address),
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

/// An attempt that its plugin never heard of.
pub(super) struct Elsewhere {
    pub(super) asked: Arc<Asked>,
    pub(super) control: Arc<Control>,
    pub(super) deadline: Deadline,
    /// The conversation, as it came back.
    pub(super) history: Vec<Message>,
}

impl Asked {
    pub(crate) fn new(
        instance: Instance,
        session: SessionId,
        known_to: Arc<KnownTo>,
        request: TurnRequest,
        tools: Arc<Toolbox>,
    ) -> Self {
        let bytes = request.size();
        Self { instance, session, known_to, request, bytes, tools, called: Called::default() }
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
    /// # Errors
    /// Nothing was asked: a quota is used up, the plugin cannot be started, or the only place is closed.
    ///
    /// # Cancel safety
    /// Dropping the future asks nothing.
    pub(super) async fn begin(
        &self,
        place: Place,
        history: Vec<Message>,
        deadline: Deadline,
        control: &Control,
    ) -> Result<Begun, TurnError> {
        let shared = &self.instance.0;
        for spent in [Quota::Tokens, Quota::PremiumRequests] {
            shared.tenant.0.ledger.check(spent)?;
        }
        let (events, stream) = mpsc::channel(shared.tenant.0.limits.turn_events);
        let id = shared.next_id();
        let limits = &shared.tenant.0.limits;
        let mut open = OpenTurn::new(self.session, events, Arc::clone(&self.tools), deadline, limits);
        (open.called, open.bytes) = (self.called.clone(), self.bytes);
        let mail = Mail::StartTurn(Box::new(self.turn(id, history)), Box::new(open));
        let address = match place {
            Place::Any => shared.post(mail).await?,
            Place::Only(address) => {
                address.mail.send(mail).await.map_err(|_| HostError::Closed)?;
                address
            }
        };
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

impl Elsewhere {
    /// Hands the attempt over.
    ///
    /// # Errors
    /// What ends the turn instead.
    pub(super) async fn begin(self) -> Result<Begun, TurnError> {
        self.deadline.keep(self.asked.begin(Place::Any, self.history, self.deadline, &self.control)).await
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
        let begun = self.deadline.keep(self.hand_over()).await?;
        Ok((begun, admission))
    }

    async fn hand_over(&self) -> Result<Begun, TurnError> {
        let place = if self.fresh_session { Place::Any } else { Place::Only(self.address.clone()) };
        let history = self.asked.request.history.clone();
        let begun = self.asked.begin(place, history, self.deadline, &self.control).await;
        begun.map_err(|error| if self.fresh_session { error } else { self.gone() })
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
