//! Descendants that left the group and kept the environment.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpgid, pidfd_open, pidfd_send_signal, waitid};

use super::guard;
use crate::spec::Spec;

/// Passes over the process table. One pass catches all but what forked during it; a fork bomb loses a race of this many
/// passes or is a case for a cgroup.
const PASSES: usize = 16;

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

    /// Kills every process that carries the mark. Returns how many kills that took.
    pub(super) fn hunt(&self) -> usize {
        let mut total = 0;
        for _ in 0..PASSES {
            let killed = processes().into_iter().filter(|&pid| self.kill(pid)).count();
            if killed == 0 {
                break;
            }
            total += killed;
        }
        total
    }

    fn kill(&self, pid: Pid) -> bool {
        if !self.is_on(pid) || belongs_to_a_living_child(pid) {
            return false;
        }
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        // Looked at again through a descriptor that pins the process: the number may have changed hands before.
        if !self.is_on(pid) || pidfd_send_signal(&process, Signal::KILL).is_err() {
            return false;
        }
        // Ours to reap where we have adopted it; an error otherwise. A killed process has lost its environment, so the
        // next pass does not see it again.
        let _ = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED);
        true
    }
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
