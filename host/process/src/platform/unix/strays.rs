//! Descendants that left the group and kept the environment.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpgid, pidfd_open, pidfd_send_signal, waitid};

use super::guard;
use crate::spec::Spec;

/// Passes over the process table. One pass catches all but what forked during it; a fork bomb loses a race of this many
/// passes or is a case for a cgroup.
const PASSES: usize = 16;

/// Processes that are killed before their ends are waited for: so many descriptors are held at most, besides those of
/// processes that do not end.
const BATCH: usize = 64;

/// The wait for a batch. Killed processes end within a few milliseconds, unless the kernel has them wait for a device.
/// The thread that hunts has other children to see to, so such a process is left to be looked at later.
const WAIT: Duration = Duration::from_millis(20);

/// `NAME=value`, as it stands in a marked process's environment.
pub(super) struct Mark(Vec<u8>);

impl Mark {
    pub(super) fn of(spec: &Spec) -> Option<Self> {
        let name = spec.mark.as_deref()?;
        let value = spec.env.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_os_str())?;
        // A mark that any process may carry by chance would kill strangers.
        (!value.is_empty()).then(|| Self::new(name, value))
    }

    fn new(name: &OsStr, value: &OsStr) -> Self {
        Self([name.as_bytes(), b"=", value.as_bytes()].concat())
    }

    fn is_on(&self, pid: Pid) -> bool {
        let environ = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
        environ.is_ok_and(|environ| environ.split(|&b| b == 0).any(|variable| variable == self.0))
    }

    /// Kills every process that carries the mark, each once. Those of `group` were killed before: they do not count.
    pub(super) fn hunt(&self, group: Pid) -> Hunted {
        let mut hunted = Hunted { strays: 0, left: Vec::new() };
        for _ in 0..PASSES {
            let mut killed = 0;
            for batch in processes().chunks(BATCH) {
                let known = |pid: &Pid| hunted.left.iter().any(|stray| stray.pid == *pid);
                let batch: Vec<_> = batch.iter().filter(|pid| !known(pid)).filter_map(|&pid| self.kill(pid)).collect();
                killed += batch.len();
                hunted.strays += batch.iter().filter(|stray| getpgid(Some(stray.pid)) != Ok(group)).count();
                hunted.left.extend(await_ends(batch));
            }
            if killed == 0 {
                break;
            }
        }
        hunted
    }

    fn kill(&self, pid: Pid) -> Option<Stray> {
        if !self.is_on(pid) || belongs_to_a_living_child(pid) {
            return None;
        }
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Looked at again through a descriptor that pins the process: the number may have changed hands before.
        if !self.is_on(pid) {
            return None;
        }
        pidfd_send_signal(&process, Signal::KILL).ok()?;
        Some(Stray { pid, process })
    }
}

/// What came of a hunt.
pub(super) struct Hunted {
    /// Processes that were killed and had left their group.
    pub(super) strays: usize,
    /// Those that have not ended.
    pub(super) left: Vec<Stray>,
}

/// A process that was killed.
pub(super) struct Stray {
    pub(super) pid: Pid,
    /// Stays its own, whoever has the number by then.
    process: OwnedFd,
}

impl Stray {
    /// Reaps it where it has ended and is ours. True while it is ours and has not.
    pub(super) fn lingers(&self) -> bool {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        matches!(waitid(WaitId::PidFd(self.process.as_fd()), ended), Ok(None))
    }

    fn ends_before(&self, deadline: Instant) -> bool {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
        let mut polled = [PollFd::new(&self.process, PollFlags::IN)];
        // Interrupted: it is looked at later.
        poll(&mut polled, left.as_ref()).is_ok_and(|ended| ended > 0)
    }
}

/// Waits for the ends of what was killed, and reaps what is ours. Returns what has not ended.
///
/// A process that has ended has lost its environment, so the next pass does not see it again.
fn await_ends(killed: Vec<Stray>) -> Vec<Stray> {
    let deadline = Instant::now() + WAIT;
    let (ended, left): (Vec<_>, _) = killed.into_iter().partition(|stray| stray.ends_before(deadline));
    // Once all have ended: a process whose parent was killed with it is ours by then.
    for stray in ended {
        stray.lingers();
    }
    left
}

/// A successor that was started with the same mark before its predecessor was buried is no stray.
fn belongs_to_a_living_child(pid: Pid) -> bool {
    getpgid(Some(pid)).is_ok_and(guard::protects)
}

fn processes() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let number = |entry: fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse().ok());
    entries.flatten().filter_map(number).filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::{Child, Command};
    use std::thread;

    use super::*;

    /// A group in whose processes signals wait: its processes are as uninterruptible as those that wait for a device.
    struct Freezer(PathBuf);

    impl Freezer {
        fn make() -> Option<Self> {
            let group = PathBuf::from(format!("/sys/fs/cgroup/freezer/strays-test-{}", std::process::id()));
            fs::create_dir(&group).ok().map(|()| Self(group))
        }

        fn freeze(&self, child: &Child) {
            fs::write(self.0.join("cgroup.procs"), child.id().to_string()).unwrap();
            self.turn("FROZEN");
            assert!(within(|| fs::read_to_string(self.0.join("freezer.state")).unwrap() == "FROZEN\n"));
        }

        fn turn(&self, state: &str) {
            fs::write(self.0.join("freezer.state"), state).unwrap();
        }
    }

    impl Drop for Freezer {
        fn drop(&mut self) {
            self.turn("THAWED");
            assert!(within(|| fs::remove_dir(&self.0).is_ok()));
        }
    }

    fn within(condition: impl Fn() -> bool) -> bool {
        (0..400).any(|_| {
            condition() || {
                thread::sleep(Duration::from_millis(5));
                false
            }
        })
    }

    fn start(mark: &str) -> (Child, Mark) {
        let mark = format!("{mark}-{}", std::process::id());
        let child = Command::new("/bin/sleep").arg("1000").env("STRAY", &mark).spawn().unwrap();
        let mark = Mark::new(OsStr::new("STRAY"), OsStr::new(&mark));
        assert!(within(|| mark.is_on(pid(&child)))); // its program runs
        (child, mark)
    }

    fn pid(child: &Child) -> Pid {
        Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
    }

    #[test]
    fn strays_are_killed_and_reaped() {
        let ((mut first, mark), (mut second, _)) = (start("reaped"), start("reaped"));
        let hunted = mark.hunt(pid(&first));
        assert_eq!(hunted.strays, 2);
        assert!(within(|| !hunted.left.iter().any(Stray::lingers)));
        assert!(first.wait().is_err() && second.wait().is_err(), "nothing is left to wait for");
    }

    #[test]
    fn what_was_in_the_group_is_killed_and_not_counted() {
        let (mut child, mark) = start("group");
        let hunted = mark.hunt(getpgid(None).unwrap());
        assert_eq!(hunted.strays, 0);
        assert!(within(|| !hunted.left.iter().any(Stray::lingers)));
        assert!(child.wait().is_err(), "nothing is left to wait for");
    }

    #[test]
    fn what_does_not_end_is_killed_once_and_left() {
        let Some(freezer) = Freezer::make() else { return println!("NO FREEZER HERE") };
        let (mut child, mark) = start("frozen");
        freezer.freeze(&child);
        let (sender, outcome) = std::sync::mpsc::channel();
        thread::spawn(move || sender.send(mark.hunt(pid(&child))).map(|()| child.wait()));
        let hunted = outcome.recv_timeout(Duration::from_secs(10));
        let lingers = hunted.as_ref().map(|hunted| hunted.left.iter().filter(|stray| stray.lingers()).count());
        drop(freezer);
        assert_eq!(lingers, Ok(1), "the hunt was held up");
        let hunted = hunted.unwrap();
        assert_eq!((hunted.strays, hunted.left.len()), (1, 1));
        assert!(within(|| !hunted.left.iter().any(Stray::lingers)));
    }
}
