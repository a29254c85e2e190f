//! One conversation with several models to answer it: the next is asked when one cannot and another may.

use crate::bindings::llm::provider::errors::{Error as ProviderError, Verdict};
use crate::bindings::llm::provider::events::{Event, Finished, Notice, NoticeKind};
use crate::bindings::llm::provider::types::Message;
use crate::error::{HostError, TurnError};
use crate::retry::{Seam, cancelled};
use crate::session::{Session, TurnRequest, user_message};
use crate::turn::Turn;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A model of a provider.
pub struct Candidate {
    /// A session of its own with the provider.
    pub session: Session,
    /// The model; that of the request when absent.
    pub model: Option<String>,
    /// The most tokens of an answer, where the request does not say.
    pub max_output_tokens: Option<u32>,
    /// What it is called in notices.
    pub name: String,
}

/// Candidates in order, and the conversation that is kept for them.
///
/// A question goes to the first. When that ends with the verdict `switch-model`, with nothing shown and no tool run, it goes
/// to the next with the whole conversation, and a notice of kind `model-switched` says so. Everything else that can go
/// wrong is the turn's end, as with a [`Session`]: trying the same again is the matter of [`crate::RetryPolicy`], which
/// each candidate's turn has for itself.
pub struct Route {
    candidates: Arc<Vec<Candidate>>,
    history: Arc<Mutex<Vec<Message>>>,
}

impl Route {
    /// A route over these, the first before the others.
    #[must_use]
    pub fn new(first: Candidate, others: Vec<Candidate>) -> Self {
        let candidates = std::iter::once(first).chain(others).collect();
        Self { candidates: Arc::new(candidates), history: Arc::default() }
    }

    /// Asks, with the whole conversation in the request. The conversation that is kept is neither used nor changed.
    ///
    /// # Errors
    /// As [`Session::turn`], of the last candidate that was tried.
    ///
    /// # Cancel safety
    /// Dropping the future asks nothing more.
    pub async fn turn(&self, request: TurnRequest) -> Result<RoutedTurn, TurnError> {
        self.ask(request, false).await
    }

    /// Asks the next question of the conversation that is kept. As [`Session::send`].
    ///
    /// # Errors
    /// As [`Route::turn`].
    ///
    /// # Cancel safety
    /// Dropping the future asks nothing more.
    pub async fn send(&self, prompt: impl Into<String>, options: TurnRequest) -> Result<RoutedTurn, TurnError> {
        let mut request = options;
        request.history = self.history();
        request.history.push(user_message(prompt));
        self.ask(request, true).await
    }

    /// The conversation so far.
    #[must_use]
    pub fn history(&self) -> Vec<Message> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, request: TurnRequest, keep: bool) -> Result<RoutedTurn, TurnError> {
        let mut turn = RoutedTurn {
            candidates: Arc::clone(&self.candidates),
            request,
            keep: keep.then(|| Arc::clone(&self.history)),
            at: 0,
            state: State::Next,
            due: VecDeque::new(),
            seam: Seam::default(),
            cancelled: false,
        };
        turn.start().await?;
        Ok(turn)
    }
}

/// A running turn of a [`Route`]: a stream of events with exactly one last item. Dropping it cancels it.
pub struct RoutedTurn {
    candidates: Arc<Vec<Candidate>>,
    request: TurnRequest,
    keep: Option<Arc<Mutex<Vec<Message>>>>,
    /// Which candidate is asked.
    at: usize,
    state: State,
    due: VecDeque<Event>,
    seam: Seam,
    cancelled: bool,
}

enum State {
    /// The candidate is still to be asked.
    Next,
    /// It is asked.
    Running(Box<Turn>),
    /// The last item was told.
    Ended,
}

impl RoutedTurn {
    /// The next item; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: no item is lost, and a candidate whose start was given up is started at the next call.
    pub async fn next(&mut self) -> Option<Result<Event, TurnError>> {
        loop {
            if let Some(event) = self.due.pop_front() {
                return Some(Ok(event));
            }
            let item = match &mut self.state {
                State::Ended => return None,
                State::Running(turn) => turn.next().await,
                State::Next => match self.start().await {
                    Ok(()) => continue,
                    Err(error) => Some(Err(error)),
                },
            };
            match item {
                Some(Ok(event)) => {
                    if matches!(event, Event::Finished(_)) {
                        self.keep_answer();
                    }
                    return Some(Ok(self.seam.pass(event)));
                }
                Some(Err(error)) if self.goes_on(&error) => self.switch(&error),
                Some(Err(error)) => {
                    self.state = State::Ended;
                    return Some(Err(error));
                }
                None => {
                    self.state = State::Ended;
                    return Some(Err(HostError::Closed.into()));
                }
            }
        }
    }

    /// Asks for the turn to end. It still ends with its one last item.
    pub fn cancel(&mut self) {
        self.cancelled = true;
        if let State::Running(turn) = &self.state {
            turn.canceller().cancel();
        }
    }

    /// Reads the turn to its end.
    ///
    /// # Errors
    /// The turn's last item, if it is one.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the turn.
    pub async fn finish(mut self) -> Result<Finished, TurnError> {
        while let Some(item) = self.next().await {
            if let Event::Finished(finished) = item? {
                return Ok(finished);
            }
        }
        Err(HostError::Closed.into())
    }

    /// Asks candidates until one takes the question: one that is left alone for now takes none.
    async fn start(&mut self) -> Result<(), TurnError> {
        loop {
            if self.cancelled {
                return Err(cancelled(false).into());
            }
            let Some(candidate) = self.candidates.get(self.at) else {
                return Err(HostError::Closed.into());
            };
            let model = candidate.model.clone().or_else(|| self.request.model.clone());
            let max_output_tokens = self.request.max_output_tokens.or(candidate.max_output_tokens);
            let request = TurnRequest { model, max_output_tokens, ..self.request.clone() };
            match candidate.session.turn(request).await {
                Ok(turn) => {
                    self.state = State::Running(Box::new(turn));
                    return Ok(());
                }
                Err(error) if self.goes_on(&error) || self.left_alone(&error) => self.switch(&error),
                Err(error) => return Err(error),
            }
        }
    }

    /// A breaker refused before anything was asked, and there is another.
    fn left_alone(&self, error: &TurnError) -> bool {
        let refused = |error: &ProviderError| matches!(error.verdict, Verdict::RetryAfter(_)) && !error.request_sent;
        error.provider().is_some_and(refused) && self.at + 1 < self.candidates.len()
    }

    fn goes_on(&self, error: &TurnError) -> bool {
        let Some(error) = error.provider() else { return false };
        let untouched = !error.output_seen && !error.tools_ran;
        error.verdict == Verdict::SwitchModel && untouched && !self.cancelled && self.at + 1 < self.candidates.len()
    }

    fn switch(&mut self, error: &TurnError) {
        let name = |at: usize| self.candidates.get(at).map_or("", |candidate| candidate.name.as_str());
        let message = format!("{} is asked, because {} could not answer: {error}", name(self.at + 1), name(self.at));
        let notice = Notice { kind: NoticeKind::ModelSwitched, message };
        self.due.extend(self.seam.again(&error.to_string(), notice));
        self.at += 1;
        self.state = State::Next;
    }

    fn keep_answer(&mut self) {
        let State::Running(turn) = std::mem::replace(&mut self.state, State::Ended) else { return };
        if let Some(history) = self.keep.take() {
            let mut asked = std::mem::take(&mut self.request.history);
            asked.extend(turn.messages());
            *history.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        }
    }
}
