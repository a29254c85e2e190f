//! One at a time over all processes of the machine: one download per version and platform, and whatever else a caller
//! names a file for.
//!
//! The standard library's file lock: it belongs to the open file, so it ends with the process however that ends, and,
//! unlike a guard that borrows, it can be handed to a thread that outlives a cancelled future.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Slot, cache_error};
use crate::{Error, Progress, Request};

/// Locks are looked at 10 times a second: a waiter of seconds does not notice, a machine neither.
const INTERVAL: Duration = Duration::from_millis(100);

/// A lock over all processes of the machine, held until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Lock {
    _file: Arc<File>,
}

impl Lock {
    /// Waits for the lock on a file, at most for `after`, and calls `waiting` once if another one holds it. The file is
    /// made where there is none, and stays. No thread is held up meanwhile.
    ///
    /// # Errors
    /// [`Error::Cache`] when the file cannot be made or locked, [`Error::LockTimeout`] when it took too long.
    ///
    /// # Cancel safety
    /// Yes: a lock that was taken is given back when it is dropped.
    pub async fn take(path: &Path, after: Duration, waiting: impl FnOnce() + Send) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(cache_error("lock", path))?;
        let trying = async {
            let mut waiting = Some(waiting);
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(()),
                    Err(TryLockError::Error(error)) => return Err(cache_error("lock", path)(error)),
                    Err(TryLockError::WouldBlock) => {}
                }
                if let Some(tell) = waiting.take() {
                    tell();
                }
                tokio::time::sleep(INTERVAL).await;
            }
        };
        let late = |_| Error::LockTimeout { path: path.to_owned(), after };
        tokio::time::timeout(after, trying).await.map_err(late)??;
        Ok(Self { _file: Arc::new(file) })
    }
}

impl Slot {
    /// Waits for the lock.
    ///
    /// Cancel safe: a lock that was taken is given back when it is dropped.
    pub(crate) async fn lock(
        &self,
        request: &Request,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Lock, Error> {
        let path = self.lock_file();
        fs::create_dir_all(&self.parent).map_err(cache_error("create", &self.parent))?;
        Lock::take(&path, request.limits.lock, || progress(Progress::Waiting)).await
    }

    /// Removes what killed runs left behind. Only for the holder of the lock: everything that is being worked on belongs
    /// to a holder.
    pub(crate) fn clean(&self, _held: &Lock) {
        let prefix = self.staging_prefix();
        let Ok(entries) = fs::read_dir(&self.parent) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            // The rest is one random word: another version's name may start like this one's.
            let ours =
                name.to_str().and_then(|name| name.strip_prefix(&prefix)).is_some_and(|rest| !rest.contains('-'));
            if ours && let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove what a killed download left");
            }
        }
    }
}
