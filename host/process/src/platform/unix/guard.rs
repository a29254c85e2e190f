//! What is left to do when the owner is killed.
//!
//! The parent-death signal reaches the child only, not the helpers that it forked. So one small process per owner, in a
//! session of its own, reads from a socket which groups live, and kills them when the socket ends: when the owner is
//! gone, however it went. It is the system's shell with the script below, runs while any child lives, and is killed
//! with the last one. Where there is no shell, the parent-death signal is all there is, and a warning says so.
//!
//! A child is announced right after its fork. In the microseconds between, an owner that is killed leaves the child to
//! the parent-death signal, before it could fork anything worth mentioning. A group is withdrawn before its leader is
//! reaped, so the guard never holds a number that could be a stranger's, but for the moment between the owner's end
//! and the guard's kill: too short for the kernel to go round all process numbers.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;

use super::fork;

const SHELL: &str = "/bin/sh";

/// `+ 12` adds a group, `- 12` takes it away. Only groups that were added are ever taken away. `CAGES` is where the
/// owner's control groups are, and how their names begin.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT PIPE
live=' '
while read -r verb group; do
  case $verb in
    +) live="$live$group " ;;
    -) live="${live%% $group *} ${live#* $group }" ;;
  esac
done
for group in $live; do
  kill -s KILL -- "-$group"
done
[ -n "$CAGES" ] || exit 0
for cage in "$CAGES"*; do
  [ -e "$cage/cgroup.kill" ] && echo 1 > "$cage/cgroup.kill"
done
"#;

static GUARD: Mutex<Guard> = Mutex::new(Guard { groups: Vec::new(), reserved: 0, shell: None });

struct Guard {
    /// Leaders that are not reaped.
    groups: Vec<Pid>,
    /// Starts under way, which need the shell as well.
    reserved: usize,
    shell: Option<Shell>,
}

struct Shell {
    process: Child,
    socket: UnixStream,
}

/// The guard runs and waits for the number of a child that is about to be forked.
pub(super) struct Ward(());

/// Makes sure that the guard runs.
///
/// # Errors
///
/// Where there are no descriptors or processes left for it.
pub(super) fn ready() -> io::Result<Ward> {
    let mut guard = lock();
    guard.ensure_shell()?;
    guard.reserved += 1;
    Ok(Ward(()))
}

impl Ward {
    pub(super) fn protect(self, group: Pid) {
        let mut guard = lock();
        guard.groups.push(group);
        guard.tell('+', group);
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        let mut guard = lock();
        guard.reserved = guard.reserved.saturating_sub(1);
        guard.rest();
    }
}

/// Withdraws a group. Its leader has ended, its members were killed, and it is not reaped yet.
pub(super) fn withdraw(group: Pid) {
    let mut guard = lock();
    guard.groups.retain(|&other| other != group);
    guard.tell('-', group);
    guard.rest();
}

/// True for the group of a child that is not buried.
pub(super) fn protects(group: Pid) -> bool {
    lock().groups.contains(&group)
}

impl Guard {
    fn ensure_shell(&mut self) -> io::Result<()> {
        if self.shell.as_mut().is_some_and(|shell| matches!(shell.process.try_wait(), Ok(None))) {
            return Ok(());
        }
        self.shell = None;
        match Shell::start() {
            Ok(shell) => self.shell = Some(shell),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::warn!("no {SHELL}: if this process is killed, helpers of its children may survive");
            }
            Err(error) => return Err(error),
        }
        for group in self.groups.clone() {
            self.tell('+', group);
        }
        Ok(())
    }

    fn tell(&mut self, verb: char, group: Pid) {
        let Some(shell) = self.shell.as_mut() else { return };
        let line = format!("{verb} {}\n", group.as_raw_nonzero());
        if let Err(error) = shell.socket.write_all(line.as_bytes()) {
            // Stopped or killed by somebody. The next start replaces it and tells it everything.
            tracing::warn!(%error, "the guard of child processes does not listen");
            self.end_shell();
        }
    }

    /// Nothing lives: end the shell, so that an idle owner has no children at all.
    fn rest(&mut self) {
        if self.groups.is_empty() && self.reserved == 0 {
            self.end_shell();
        }
    }

    fn end_shell(&mut self) {
        let Some(mut shell) = self.shell.take() else { return };
        // Killed before its socket closes, so that it does not take this for the owner's end. It waits in a read, or
        // was stopped, and SIGKILL ends both at once: the wait is short.
        if let Err(error) = shell.process.kill().and_then(|()| shell.process.wait()) {
            tracing::warn!(%error, "the guard of child processes could not be ended");
        }
    }
}

impl Shell {
    fn start() -> io::Result<Self> {
        let (socket, input) = UnixStream::pair()?;
        // A guard that was stopped must not block the thread that forks: a full socket is an error.
        socket.set_nonblocking(true)?;
        let process = fork::guard(Path::new(SHELL), SCRIPT, input.into())?;
        Ok(Self { process, socket })
    }
}

fn lock() -> MutexGuard<'static, Guard> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}
