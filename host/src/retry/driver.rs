//! The one retry loop. A turn's attempts, one after the other, as one stream with exactly one last item.

use super::control::Control;
use super::decide::{Decision, Situation};
use super::health::{Admission, Health};
use super::seam::Seam;
use super::start::{Again, Asked, Begun, Elsewhere, Place};
use crate::bindings::llm::provider::errors::{Error as ProviderError, ErrorKind, ErrorScope, Verdict};
use crate::bindings::llm::provider::events::{Event, Notice, NoticeKind};
use crate::bindings::llm::provider::types::Message;
use crate::deadline::Deadline;
use crate::error::{HostError, PluginFault, TurnError, one_line};
use crate::instance::{AttemptEnd, TurnItem};
use crate::quota::{Hold, Quota};
use crate::tasks::{self, Task};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Drives a turn from its first attempt to its last item. Events pass as they come: while an attempt runs there is
/// neither task nor queue between its actor and the reader.
pub(crate) struct Driver {
    asked: Arc<Asked>,
    control: Arc<Control>,
    health: Arc<Health>,
    /// The attempt that runs, until its outcome is told.
    admission: Option<Admission>,
    phase: Phase,
    seam: Seam,
    /// What the reader is told before anything else.
    due: VecDeque<TurnItem>,
    retries: u32,
    deadline: Deadline,
    /// The turn's place among those of its tenant, until its end.
    hold: Option<Hold>,
    /// Waits run here: a reader may poll from anywhere.
    runtime: Handle,
}

enum Phase {
    Running(Begun),
    Between(Between),
    Ended,
}

/// An attempt that was handed over, or the turn's end.
type Next = Result<(Begun, Admission), TurnError>;

/// Waiting for the next attempt, or starting it. Goes on while nobody reads.
struct Between {
    next: oneshot::Receiver<Next>,
    /// The last failure had sent its request.
    request_sent: bool,
    _task: Task,
}

impl Driver {
    /// Hands over a turn's first attempt. `keep`: its conversation is needed at its end.
    ///
    /// # Errors
    /// The provider is left alone for now, or the plugin cannot be started. Nothing was asked.
    ///
    /// # Cancel safety
    /// Dropping the future asks nothing.
    pub(crate) async fn start(mut asked: Asked, keep: bool) -> Result<Self, TurnError> {
        let shared = Arc::clone(&asked.instance.0);
        let policy = asked.request.retry;
        let hold = shared.tenant.0.ledger.hold(Quota::Turns, 1)?;
        let admission = shared.health.admit(&policy, Instant::now().into_std(), true)?;
        let deadline = Deadline::new(asked.request.deadline.unwrap_or(shared.tenant.0.limits.turn_deadline));
        let again = keep || policy.retries();
        let history = if again { asked.history().to_vec() } else { asked.take_history() };
        let control = Arc::new(Control::default());
        let begun = deadline.keep(asked.begin(Place::Any, history, deadline, &control)).await?;
        Ok(Self {
            asked: Arc::new(asked),
            control,
            health: Arc::clone(&shared.health),
            admission: Some(admission),
            phase: Phase::Running(begun),
            seam: Seam::default(),
            due: VecDeque::new(),
            retries: 0,
            deadline,
            hold: Some(hold),
            runtime: Handle::current(),
        })
    }

    /// The owner's hand on the turn.
    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The conversation that was asked with.
    pub(crate) fn history(&self) -> &[Message] {
        self.asked.history()
    }

    /// The next item. Not to be polled after the last.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<TurnItem> {
        loop {
            if let Some(item) = self.due.pop_front() {
                return Poll::Ready(item);
            }
            match &mut self.phase {
                Phase::Running(begun) => match ready!(begun.stream.poll_recv(context)).map(|queued| queued.item) {
                    Some(Ok(event)) => return Poll::Ready(Ok(self.pass(event))),
                    Some(Err(AttemptEnd::Failed(error))) => self.failed(error),
                    Some(Err(AttemptEnd::NotAsked(turn, fault))) => self.elsewhere(turn.history, fault),
                    // A channel that closes without a last item: the instance was closed under the turn.
                    None => self.end(HostError::Closed.into()),
                },
                Phase::Between(between) => {
                    if self.control.poll_cancelled(context) {
                        let cancelled = cancelled(between.request_sent);
                        self.end(cancelled.into());
                        continue;
                    }
                    match ready!(Pin::new(&mut between.next).poll(context)) {
                        Ok(Ok((begun, admission))) => {
                            self.admission = Some(admission);
                            self.phase = Phase::Running(begun);
                        }
                        Ok(Err(error)) => self.end(error),
                        // The runtime ended, and the task with it.
                        Err(_) => self.end(HostError::Closed.into()),
                    }
                }
                Phase::Ended => return Poll::Ready(Err(HostError::Closed.into())),
            }
        }
    }

    fn pass(&mut self, event: Event) -> Event {
        let event = self.seam.pass(event);
        if self.seam.shown()
            && let Some(admission) = &mut self.admission
        {
            admission.answers();
        }
        if matches!(event, Event::Finished(_)) {
            if let Some(admission) = self.admission.take() {
                admission.succeeded(Instant::now().into_std());
            }
            self.control.detach();
            self.phase = Phase::Ended;
            self.hold = None;
        }
        event
    }

    /// An attempt failed: it is the turn's end, unless the failure is the provider's and another attempt is wanted.
    fn failed(&mut self, error: TurnError) {
        self.control.detach();
        match (error, self.admission.take()) {
            (TurnError::Provider(mut error), Some(admission)) => {
                self.seam.correct(&mut error, !self.asked.called.is_empty());
                match admission.failed(Instant::now().into_std(), self.situation(&error)) {
                    Decision::Retry { after, fresh_session } => self.again(*error, after, fresh_session),
                    Decision::Surface(why) => {
                        tracing::debug!(?why, kind = ?error.kind, "a failure is not repeated");
                        self.end(TurnError::Provider(error));
                    }
                }
            }
            (error, _) => self.end(error),
        }
    }

    fn situation<'a>(&self, error: &'a ProviderError) -> Situation<'a> {
        Situation {
            error,
            cancelled: self.control.is_cancelled(),
            attempts: self.made(),
            retries: self.retries,
            remaining: self.deadline.left(),
            budget: true,
            shut_for: None,
            draw: self.asked.instance.0.draw(),
        }
    }

    /// Attempts so far, with those the provider made by itself.
    fn made(&self) -> u32 {
        self.retries.saturating_add(1).saturating_add(self.seam.provider_retries())
    }

    fn again(&mut self, failure: ProviderError, after: Duration, fresh_session: bool) {
        let Phase::Running(Begun { address, .. }) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        let (number, of, seconds) = (self.made() + 1, self.asked.request.retry.attempts, after.as_secs_f64());
        let reason = one_line(&failure.message);
        let message = format!("attempt {number} of {of} in {seconds:.1} s, because the last one failed: {reason}");
        self.due.extend(self.seam.again(&reason, Notice { kind: NoticeKind::Retry, message }).map(Ok));
        self.retries = self.retries.saturating_add(1);
        let request_sent = failure.request_sent;
        let again = Again {
            asked: Arc::clone(&self.asked),
            control: Arc::clone(&self.control),
            health: Arc::clone(&self.health),
            deadline: self.deadline,
            due: Instant::now() + after,
            address,
            fresh_session,
            failure,
        };
        self.begin_next(request_sent, again.begin());
    }

    /// The instance ended under another turn before its plugin heard of this one. That is no attempt: the fresh instance is
    /// asked, as if the turn had come a moment later. Each time costs an instance, so that the turn's deadline bounds them.
    fn elsewhere(&mut self, history: Vec<Message>, fault: PluginFault) {
        self.control.detach();
        let Some(admission) = self.admission.take() else { return self.end(fault.into()) };
        tracing::debug!(%fault, "a turn is handed to a fresh instance: its own ended before it was asked");
        let (asked, control) = (Arc::clone(&self.asked), Arc::clone(&self.control));
        let elsewhere = Elsewhere { asked, control, deadline: self.deadline, history };
        self.begin_next(false, async move { Ok((elsewhere.begin().await?, admission)) });
    }

    fn begin_next(&mut self, request_sent: bool, next: impl Future<Output = Next> + Send + 'static) {
        let (tell, told) = oneshot::channel();
        let _entered = self.runtime.enter();
        let task = tasks::spawn(async move { drop(tell.send(next.await)) });
        self.phase = Phase::Between(Between { next: told, request_sent, _task: task });
    }

    /// The turn's last item, after what its reader does not know of the cost.
    fn end(&mut self, error: TurnError) {
        self.phase = Phase::Ended;
        self.hold = None;
        self.admission = None;
        self.due.extend(self.seam.untold().map(Ok));
        self.due.push_back(Err(error));
    }
}

/// The end of a turn that was given up while no attempt ran.
pub(crate) fn cancelled(request_sent: bool) -> ProviderError {
    ProviderError {
        kind: ErrorKind::Cancelled,
        message: "the turn was cancelled".to_owned(),
        hint: None,
        scope: ErrorScope::Request,
        http_status: None,
        provider_code: None,
        provider_request_id: None,
        retry_after: None,
        request_sent,
        output_seen: false,
        tools_ran: false,
        verdict: Verdict::Surface,
    }
}
