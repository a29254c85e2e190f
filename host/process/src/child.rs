//! The handle of a child.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::error::SpawnError;
use crate::exit::Exit;
use crate::pipes::{Gate, Stdin, Stdout};
use crate::platform::{self, Leader};
use crate::spec::Spec;

/// The time between a polite request (`SIGTERM`) and the kill, in [`Child::stop`]: enough to flush a file, and short
/// beside the grace period that came before it.
pub const TERM_GRACE: Duration = Duration::from_secs(2);

/// A child that was started.
#[derive(Debug)]
#[non_exhaustive]
pub struct Running {
    /// Its standard input.
    pub stdin: Stdin,
    /// Its standard output.
    pub stdout: Stdout,
    /// Its life. Dropping this kills it, whatever becomes of the pipes.
    pub child: Child,
}

/// The life of a child and of its whole process group. Dropping it kills the group at once; the child is reaped in the
/// background. May be dropped anywhere, outside a runtime too. Every method takes `&self`, so it can be shared.
#[derive(Debug)]
pub struct Child {
    leader: Arc<Leader>,
    stdin: Arc<Gate>,
}

impl Child {
    /// Starts a child. Returns when the program runs: one that cannot be executed is an error here.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`]; [`SpawnError::is_transient`] says whether to try again.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with IO enabled, as tokio's pipes do.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, a child that was started meanwhile is killed.
    pub async fn spawn(spec: Spec) -> Result<Running, SpawnError> {
        let born = platform::spawn(spec).await?;
        let (stdin, gate) = Stdin::new(born.stdin);
        let child = Self { leader: born.leader, stdin: gate };
        Ok(Running { stdin, stdout: Stdout::new(born.stdout), child })
    }

    /// The process's number, which is also its group's and its session's. Once the child has ended it may belong to
    /// another process: good for a log, not for a signal.
    pub fn pid(&self) -> u32 {
        self.leader.pid()
    }

    /// Asks the whole group to end (`SIGTERM`). Does nothing once the child has ended.
    pub fn terminate(&self) {
        self.leader.terminate();
    }

    /// Kills the whole group (`SIGKILL`). Does nothing once the child has ended: its group was killed then.
    pub fn kill(&self) {
        self.leader.kill();
    }

    /// Closes the child's standard input. A write that pends fails.
    pub fn close_stdin(&self) {
        self.stdin.close();
    }

    /// Waits for the end. By then the rest of the group has been killed, and everything the child wrote to standard
    /// error is in [`stderr_tail`](Self::stderr_tail).
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is lost, and it may be called again, also after the end.
    pub async fn wait(&self) -> Exit {
        self.leader.wait().await
    }

    /// How it ended, if it has.
    pub fn try_wait(&self) -> Option<Exit> {
        self.leader.try_wait()
    }

    /// The last lines of standard error, for a person: at most [`Spec::stderr_ring`] bytes of it, from a line's start,
    /// with control characters escaped. Not scrubbed of secrets, which this crate does not know.
    pub fn stderr_tail(&self) -> String {
        self.leader.stderr_tail()
    }

    /// Ends the child politely: closes its standard input, waits `grace` for it to end by itself, then sends `SIGTERM`,
    /// waits [`TERM_GRACE`], then kills the group.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the child is left as it is at that step. Call it again, or drop the handle.
    pub async fn stop(&self, grace: Duration) -> Exit {
        self.close_stdin();
        if let Ok(exit) = timeout(grace, self.wait()).await {
            return exit;
        }
        self.terminate();
        if let Ok(exit) = timeout(TERM_GRACE, self.wait()).await {
            return exit;
        }
        self.kill();
        self.wait().await
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
