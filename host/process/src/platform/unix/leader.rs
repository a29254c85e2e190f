//! The first process of a child's group, and the right to signal that group.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::sync::watch;

use crate::exit::Exit;
use crate::ring::Ring;

/// The leader of a child's process group.
///
/// **Architecture invariant:** its group is signalled only under the lock of `life`, and only while the leader is not
/// reaped. Until then the kernel keeps its number, as a process or as a zombie, so the signal cannot reach a stranger.
#[derive(Debug)]
pub(crate) struct Leader {
    pid: Pid,
    life: Mutex<Life>,
    exit: watch::Sender<Option<Exit>>,
    stderr: Mutex<Ring>,
}

#[derive(Debug, PartialEq, Eq)]
enum Life {
    /// Alive, or a zombie: its number is its own.
    Unreaped,
    /// Its number may be anybody's.
    Reaped,
}

impl Leader {
    pub(super) fn new(pid: Pid, stderr_ring: usize) -> Self {
        Self {
            pid,
            life: Mutex::new(Life::Unreaped),
            exit: watch::Sender::new(None),
            stderr: Mutex::new(Ring::new(stderr_ring)),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn group(&self) -> Pid {
        self.pid
    }

    pub(crate) fn terminate(&self) {
        self.signal_group(Signal::TERM);
    }

    pub(crate) fn kill(&self) {
        self.signal_group(Signal::KILL);
    }

    pub(crate) fn stderr_tail(&self) -> String {
        self.lock_stderr().text()
    }

    pub(super) fn push_stderr(&self, chunk: &[u8]) {
        self.lock_stderr().push(chunk);
    }

    pub(crate) fn try_wait(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    pub(crate) async fn wait(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        let seen = exit.wait_for(Option::is_some).await;
        // The sender lives in `self`, so the channel is open and the first branch is always taken.
        seen.ok().and_then(|exit| *exit).unwrap_or(Exit { code: None, signal: None })
    }

    fn signal_group(&self, signal: Signal) {
        let life = self.lock_life();
        if *life == Life::Unreaped {
            signal_unreaped(self.pid, signal);
        }
    }

    /// Kills what is left of the group, then reaps the leader. Only for a leader that has ended or was killed: this
    /// waits for it. `before_reaping` runs while the number is still the leader's.
    pub(super) fn bury(&self, before_reaping: impl FnOnce()) -> Exit {
        let mut life = self.lock_life();
        signal_unreaped(self.pid, Signal::KILL);
        before_reaping();
        let exit = reap(self.pid);
        *life = Life::Reaped;
        exit
    }

    /// Lets those who wait know.
    pub(super) fn announce(&self, exit: Exit) {
        self.exit.send_replace(Some(exit));
    }

    fn lock_life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_stderr(&self) -> MutexGuard<'_, Ring> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signal_unreaped(group: Pid, signal: Signal) {
    match kill_process_group(group, signal) {
        // No such group: somebody else has reaped the leader (see `Exit`), and nobody is left.
        Ok(()) | Err(Errno::SRCH) => {}
        // A set-user-id program may not be signalled. Its owner should not have started it.
        Err(error) => tracing::warn!(group = group.as_raw_nonzero().get(), %error, "process group not signalled"),
    }
}

fn reap(pid: Pid) -> Exit {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED) {
            Ok(Some(status)) => return Exit { code: status.exit_status(), signal: status.terminating_signal() },
            Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return Exit { code: None, signal: None },
        }
    }
}

/// A leader that is killed when this is dropped, for the way from the fork to the handle that owns it.
#[derive(Debug)]
pub(super) struct Unclaimed {
    leader: Arc<Leader>,
    claimed: bool,
}

impl Unclaimed {
    pub(super) fn new(leader: Arc<Leader>) -> Self {
        Self { leader, claimed: false }
    }

    /// Passes the duty to kill on to the caller.
    pub(super) fn claim(mut self) -> Arc<Leader> {
        self.claimed = true;
        Arc::clone(&self.leader)
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if !self.claimed {
            self.leader.kill();
        }
    }
}
