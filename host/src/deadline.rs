//! When a turn must be over.

use crate::error::{HostError, TurnError};
use std::time::{Duration, Instant};

/// When a turn must be over, its waits included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    allowed: Duration,
    /// `None` when it lies beyond what a clock can tell: never.
    at: Option<Instant>,
}

impl Deadline {
    /// From now on.
    pub(crate) fn new(allowed: Duration) -> Self {
        Self { allowed, at: Instant::now().checked_add(allowed) }
    }

    /// The moment, if there is one.
    pub(crate) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        self.at.map_or(self.allowed, |at| at.saturating_duration_since(Instant::now()))
    }

    /// Waits for what must be over by then too.
    ///
    /// # Errors
    /// Its own, and the turn's end when the deadline passes first.
    pub(crate) async fn keep<T>(&self, work: impl Future<Output = Result<T, TurnError>>) -> Result<T, TurnError> {
        tokio::time::timeout(self.left(), work).await.unwrap_or_else(|_| Err(self.passed()))
    }

    /// The turn's end when it has passed, as its owner knows it.
    pub(crate) fn passed(&self) -> TurnError {
        HostError::TurnDeadline(self.allowed).into()
    }
}
