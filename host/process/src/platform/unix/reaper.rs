//! The one thread that sees children end.

use std::io;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::cage::Cage;
use super::leader::Leader;
use super::remains::{Remains, TICK};
use super::strays::Mark;
use super::{guard, orphans};
use crate::spec::Spec;

/// Bytes per read of standard error: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// Reads of one child's standard error before the others get their turn, and after its end: a pipe can be grown to
/// 1 MiB without privilege, so sixteen empty it. A process that left the group might write for ever.
const READS_AT_END: usize = 16;

/// A child to watch.
pub(super) struct Watch {
    leader: Arc<Leader>,
    stderr: Option<OwnedFd>,
    mark: Option<Mark>,
    cage: Option<Cage>,
}

impl Watch {
    pub(super) fn new(leader: Arc<Leader>, stderr: OwnedFd, cage: Option<Cage>, spec: &Spec) -> Self {
        Self { leader, stderr: Some(stderr), mark: Mark::of(spec), cage }
    }

    /// Reads what there is, once. Drops the pipe at its end.
    fn drain(&mut self, buffer: &mut [u8]) -> bool {
        let Some(pipe) = &self.stderr else { return false };
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => self.stderr = None,
            Ok(count) => self.leader.push_stderr(buffer.split_at(count).0),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return false,
            Err(_) => self.stderr = None,
        }
        self.stderr.is_some()
    }

    /// The leader has ended or was killed: clears up behind it and says so. Returns what was killed and has not ended.
    fn bury(mut self, buffer: &mut [u8]) -> Remains {
        let group = self.leader.group();
        let exit = self.leader.bury(|| guard::withdraw(group));
        // All of it at once, also what hides. It is not waited for: by the end of the hunt it has mostly ended.
        if let Some(cage) = &self.cage {
            cage.kill();
        }
        let mut left = Vec::new();
        if let Some(mark) = &self.mark {
            let hunted = mark.hunt(group);
            left = hunted.left;
            if hunted.strays > 0 {
                let strays = hunted.strays;
                tracing::warn!(pid = self.leader.pid(), strays, "killed processes that had left their group");
            }
        }
        let remains = Remains::of(left, self.cage.take());
        for _ in 0..READS_AT_END {
            if !self.drain(buffer) {
                break;
            }
        }
        tracing::debug!(pid = self.leader.pid(), %exit, "child ended");
        self.leader.announce(exit);
        remains
    }
}

/// A child and the descriptor that tells its end.
struct Watched {
    watch: Watch,
    pidfd: OwnedFd,
}

struct Reaper {
    arrivals: Mutex<Vec<Watched>>,
    bell: OwnedFd,
}

/// Started by the first spawn, never ends.
static REAPER: Mutex<Option<Arc<Reaper>>> = Mutex::new(None);

/// Makes sure that the thread runs.
///
/// # Errors
///
/// Where there are no descriptors or threads left.
pub(super) fn ready() -> io::Result<()> {
    running().map(drop)
}

fn running() -> io::Result<Arc<Reaper>> {
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(reaper) = reaper.as_ref() {
        return Ok(Arc::clone(reaper));
    }
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let started = Arc::new(Reaper { arrivals: Mutex::default(), bell });
    let shared = Arc::clone(&started);
    thread::Builder::new().name("llmp-reaper".into()).spawn(move || shared.serve())?;
    *reaper = Some(Arc::clone(&started));
    Ok(started)
}

/// Hands a child over. From here on it is reaped whatever happens.
///
/// # Errors
///
/// Where there is no descriptor left to watch it. It was killed and reaped.
pub(super) fn watch(watch: Watch) -> io::Result<()> {
    match arrange(&watch) {
        Ok((reaper, pidfd)) => {
            reaper.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(Watched { watch, pidfd });
            ring(&reaper.bell);
            Ok(())
        }
        Err(error) => {
            watch.leader.kill();
            drop(watch.bury(&mut [])); // on the caller's time
            Err(error)
        }
    }
}

fn arrange(watch: &Watch) -> io::Result<(Arc<Reaper>, OwnedFd)> {
    let reaper = running()?;
    if let Some(pipe) = &watch.stderr {
        fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    }
    // Not reaped yet, so the number is the child's.
    let pidfd = pidfd_open(watch.leader.group(), PidfdFlags::empty())?;
    Ok((reaper, pidfd))
}

fn ring(bell: &OwnedFd) {
    // Full means rung already.
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

impl Reaper {
    fn serve(&self) {
        let mut watched = Vec::new();
        let mut orphaned: Vec<Pid> = Vec::new();
        let mut remains = Remains::default();
        let mut buffer = vec![0; CHUNK];
        loop {
            watched.append(&mut self.arrivals.lock().unwrap_or_else(PoisonError::into_inner));
            let (loud, ended) = self.wait(&watched, !orphaned.is_empty() || !remains.is_empty());
            for (child, loud) in watched.iter_mut().zip(loud) {
                if loud {
                    child.watch.drain(&mut buffer);
                }
            }
            let mut ended = ended.into_iter();
            let (dead, living): (Vec<_>, _) =
                mem::take(&mut watched).into_iter().partition(|_| ended.next() == Some(true));
            watched = living;
            for child in dead {
                orphaned.push(child.watch.leader.group());
                remains.add(child.watch.bury(&mut buffer));
            }
            remains.look();
            orphaned.retain(|&group| orphans::adopting() && orphans::reap_group(group));
        }
    }

    /// Waits for something to happen. Says for each child whether its standard error has something, and whether it has
    /// ended.
    fn wait(&self, watched: &[Watched], tick: bool) -> (Vec<bool>, Vec<bool>) {
        let mut polled = vec![PollFd::new(&self.bell, PollFlags::IN)];
        polled.extend(watched.iter().map(|child| PollFd::new(&child.pidfd, PollFlags::IN)));
        // A child whose standard error has ended is represented by the bell, whose answer is not looked at.
        let pipes = watched.iter().map(|child| child.watch.stderr.as_ref().unwrap_or(&self.bell).as_fd());
        polled.extend(pipes.map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
        let tick = Timespec::try_from(TICK).ok().filter(|_| tick);
        if poll(&mut polled, tick.as_ref()).is_err() {
            return (Vec::new(), Vec::new()); // interrupted, or out of memory for a moment: look again
        }
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.bell, &mut count);
        let mut happened = polled.iter().skip(1).map(|fd| !fd.revents().is_empty());
        let ended: Vec<bool> = happened.by_ref().take(watched.len()).collect();
        (happened.collect(), ended)
    }
}
