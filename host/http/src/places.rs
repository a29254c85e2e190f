//! Places for the requests of a tenant: so many are under way at once, and the others wait for theirs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::limits::EgressLimits;

/// What a waiting request counts beside its body: headers and a URL of the largest, and its task.
const BESIDES: usize = 64 * 1024;

/// Bytes that wait are counted in these.
const UNIT: usize = 1024;

/// The places of one tenant.
#[derive(Debug)]
pub(crate) struct Places {
    under_way: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new(limits: &EgressLimits) -> Self {
        let semaphore = |places: usize| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { under_way: semaphore(limits.in_flight), waiting: semaphore(limits.waiting_bytes / UNIT) }
    }

    /// A place for a request with a body of so many bytes, or one among those that wait; nothing where these have as many
    /// bytes as they may.
    pub(crate) fn ask(&self, body: usize) -> Option<Place> {
        // Whoever waits comes first: a place that comes free is theirs, and never free for others.
        if let Ok(permit) = Arc::clone(&self.under_way).try_acquire_owned() {
            return Some(Place::Taken(permit));
        }
        let units = u32::try_from(body.saturating_add(BESIDES).div_ceil(UNIT)).ok()?;
        let room = Arc::clone(&self.waiting).try_acquire_many_owned(units).ok()?;
        Some(Place::Awaited { under_way: Arc::clone(&self.under_way), room })
    }
}

/// A place, or the right to wait for one.
#[derive(Debug)]
pub(crate) enum Place {
    Taken(OwnedSemaphorePermit),
    Awaited { under_way: Arc<Semaphore>, room: OwnedSemaphorePermit },
}

impl Place {
    /// The place, when it comes free in time. It is held until the permit is dropped.
    pub(crate) async fn take(self, patience: Duration) -> Option<OwnedSemaphorePermit> {
        match self {
            Self::Taken(permit) => Some(permit),
            Self::Awaited { under_way, room } => {
                let permit = timeout(patience, under_way.acquire_owned()).await;
                drop(room);
                permit.ok()?.ok()
            }
        }
    }
}
