//! The one place where tasks begin. A task ends with the handle to it.

use std::future::Future;
use tokio::task::AbortHandle;

/// Ends its task when dropped.
#[derive(Debug)]
pub(crate) struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts a task on the runtime of the caller.
pub(crate) fn spawn<F>(future: F) -> Task
where
    F: Future<Output = ()> + Send + 'static,
{
    Task(tokio::spawn(future).abort_handle())
}

/// Starts a task that ends by itself: an actor, which ends when nobody holds its mailbox.
pub(crate) fn spawn_actor<F>(future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    drop(tokio::spawn(future));
}
