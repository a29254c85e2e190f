//! A network namespace of a child's own: nothing is in it but a loopback that is down.
//!
//! Whoever may make one (root) just does. Anybody else makes a user namespace first, in which the user keeps its number
//! and is nobody special. Either way the program has no means to go back: in a user namespace none of its capabilities
//! concern the owner's network, and a privileged one loses those that would.

use std::ffi::CStr;
use std::io::{self, PipeReader, PipeWriter, Read};

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

use crate::isolation::IsolationError;

/// Enters another namespace, among much else.
const CAP_SYS_ADMIN: libc::c_ulong = 21;
/// Acts through a process that is in another namespace.
const CAP_SYS_PTRACE: libc::c_ulong = 19;

/// What is refused, as it is told over the pipe.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Step {
    Unshare,
    Capabilities,
    Map,
}

impl Step {
    const ALL: [Self; 3] = [Self::Unshare, Self::Capabilities, Self::Map];

    fn name(self) -> &'static str {
        match self {
            Self::Unshare => "unshare",
            Self::Capabilities => "prctl(PR_CAPBSET_DROP)",
            Self::Map => "/proc/self/uid_map",
        }
    }
}

/// What the forked process needs, made before the fork: there, nothing may be allocated.
pub(super) struct Departure {
    uid_map: String,
    gid_map: String,
    told: PipeWriter,
}

/// Hears why a departure failed. A failed start gives an error number alone, which might as well be that of `exec`.
pub(super) struct Witness(PipeReader);

/// Prepares a departure.
///
/// # Errors
///
/// Where there are no descriptors left.
pub(super) fn prepare() -> io::Result<(Departure, Witness)> {
    let (reader, told) = io::pipe()?;
    // Nothing is read before the process is gone, so what is not there then never comes. Waiting for the pipe's end
    // would wait for whatever else is forked meanwhile.
    fcntl_setfl(&reader, fcntl_getfl(&reader)? | OFlags::NONBLOCK)?;
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let departure = Departure { uid_map: format!("{uid} {uid} 1\n"), gid_map: format!("{gid} {gid} 1\n"), told };
    Ok((departure, Witness(reader)))
}

impl Departure {
    /// Runs in the forked process, before it asks for the parent-death signal: a change of rights may withdraw that.
    pub(super) fn leave(&self) -> io::Result<()> {
        self.go().map_err(|(step, errno)| {
            let [a, b, c, d] = errno.raw_os_error().to_ne_bytes();
            let _ = rustix::io::write(&self.told, &[step as u8, a, b, c, d]); // five bytes go into any pipe
            errno.into()
        })
    }

    fn go(&self) -> Result<(), (Step, Errno)> {
        match unshare(libc::CLONE_NEWNET) {
            Ok(()) => {
                drop_from_bounding_set(CAP_SYS_ADMIN).map_err(|errno| (Step::Capabilities, errno))?;
                drop_from_bounding_set(CAP_SYS_PTRACE).map_err(|errno| (Step::Capabilities, errno))
            }
            Err(Errno::PERM) => {
                unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET).map_err(|errno| (Step::Unshare, errno))?;
                self.map().map_err(|errno| (Step::Map, errno))
            }
            Err(errno) => Err((Step::Unshare, errno)),
        }
    }

    /// The user and the group keep their numbers. A group is given only to a process that can no longer shed others.
    fn map(&self) -> Result<(), Errno> {
        write(c"/proc/self/setgroups", b"deny")?;
        write(c"/proc/self/uid_map", self.uid_map.as_bytes())?;
        write(c"/proc/self/gid_map", self.gid_map.as_bytes())
    }
}

impl Witness {
    /// Why the departure failed; nothing when something else did. Only after the process has ended.
    pub(super) fn refusal(mut self) -> Option<IsolationError> {
        let mut told = [0; 5];
        self.0.read_exact(&mut told).ok()?;
        let [step, code @ ..] = told;
        let step = Step::ALL.into_iter().find(|known| *known as u8 == step)?;
        Some(refused(step, i32::from_ne_bytes(code)))
    }
}

fn refused(step: Step, code: i32) -> IsolationError {
    let call = step.name();
    match Errno::from_raw_os_error(code) {
        Errno::NOSYS | Errno::INVAL => IsolationError::Unsupported,
        Errno::NOSPC | Errno::USERS => IsolationError::Exhausted { call, code },
        Errno::NOMEM | Errno::AGAIN | Errno::MFILE | Errno::NFILE => IsolationError::Untried { code },
        _ => IsolationError::Denied { call, code },
    }
}

fn unshare(flags: libc::c_int) -> Result<(), Errno> {
    // SAFETY: a plain system call on a number, in a process of one thread. It unshares no memory and no descriptors.
    checked(unsafe { libc::unshare(flags) })
}

/// What is not in the set is not given by `exec`, not even to root.
fn drop_from_bounding_set(capability: libc::c_ulong) -> Result<(), Errno> {
    // SAFETY: a plain system call on numbers.
    checked(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) })
}

fn checked(returned: libc::c_int) -> Result<(), Errno> {
    if returned == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
}

fn write(path: &CStr, text: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_its_step() {
        let (departure, witness) = prepare().unwrap();
        let code = Errno::PERM.raw_os_error();
        let [a, b, c, d] = code.to_ne_bytes();
        rustix::io::write(&departure.told, &[Step::Map as u8, a, b, c, d]).unwrap();
        assert_eq!(witness.refusal(), Some(IsolationError::Denied { call: "/proc/self/uid_map", code }));
        let (_departure, silent) = prepare().unwrap();
        assert_eq!(silent.refusal(), None, "although the pipe is open");
    }

    #[test]
    fn what_is_not_there_is_told_from_what_is_not_allowed() {
        let kind = |errno: Errno| refused(Step::Unshare, errno.raw_os_error());
        assert_eq!(kind(Errno::NOSYS), IsolationError::Unsupported);
        assert!(matches!(kind(Errno::NOSPC), IsolationError::Exhausted { call: "unshare", .. }));
        assert!(matches!(kind(Errno::PERM), IsolationError::Denied { .. }));
        assert!(matches!(kind(Errno::NOMEM), IsolationError::Untried { .. }));
    }
}
