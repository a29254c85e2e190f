//! What a child reaches of the file system, and whether this machine can hold it to that.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::platform;

/// What a child reaches of the file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileAccess {
    /// All that its owner reaches.
    #[default]
    Owners,
    /// What these grants name, and what every program needs: the system's programs and libraries to read and run, the
    /// files by which names are resolved and certificates checked, the harmless devices and terminals of its own. Its
    /// descendants have no more. Where the kernel has them, two more bounds come with it: it sends no signal to, and
    /// looks into the memory and environment of, no process but its descendants, and reaches no abstract socket of
    /// others. Under root it keeps, of root's capabilities, those over the owners and modes of files only.
    ///
    /// As good as the kernel can: [`file_containment`] says beforehand how good that is. Where it cannot at all, the
    /// child starts with its owner's reach, since whoever must not run without it can ask first.
    ///
    /// What stays within reach: a path can be seen to exist (`stat`), an owner's or mode's change on a file is bound by
    /// the user alone, and sockets that have a name in the file system can be connected to.
    Only(Grants),
}

/// Files and directories with all that is below them. One that does not exist at the start is not granted.
///
/// A grant is for what the path leads to at the start: a symbolic link in it is followed then, and what replaces a
/// granted file later is not granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// What it may read and run.
    pub readable: Vec<PathBuf>,
    /// What it may read, run, write, make and remove.
    pub writable: Vec<PathBuf>,
}

/// How well files are kept from a child on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileContainment {
    /// The version of the kernel's interface that is used (landlock's ABI).
    pub version: u32,
    /// Truncating a file counts as writing it (version 3).
    pub truncation: bool,
    /// Commands to devices are bounded (version 5).
    pub devices: bool,
    /// Signals and abstract sockets are bounded too (version 6).
    pub scopes: bool,
}

impl FileContainment {
    /// What a newer kernel would add, in words; nothing when it is complete.
    pub fn missing(&self) -> Option<String> {
        let parts = [
            (self.truncation, "emptying files"),
            (self.devices, "commands to devices"),
            (self.scopes, "signals and abstract sockets"),
        ];
        let missing: Vec<_> = parts.into_iter().filter(|(held, _)| !held).map(|(_, part)| part).collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }
}

/// Why files cannot be kept from a child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileContainmentError {
    /// The platform or the kernel has no landlock, or a container's rules hide it.
    #[error("this system has no landlock")]
    Unsupported,
    /// The kernel has it and it was left out when the system booted.
    #[error("landlock is not among the security modules that this system runs")]
    Disabled,
    /// A rule of a container or too many nested sandboxes forbid it.
    #[error("this system does not let this process use landlock: {}", std::io::Error::from_raw_os_error(*code))]
    Denied {
        /// The system's error number.
        code: i32,
    },
    /// It could not be found out: nothing could be forked or opened. Nothing of this is remembered.
    #[error("it could not be tried whether this system has landlock: {}", std::io::Error::from_raw_os_error(*code))]
    Untried {
        /// The system's error number; 0 where there was none.
        code: i32,
    },
}

impl FileContainmentError {
    /// What whoever runs the machine can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsupported if !cfg!(target_os = "linux") => "run it on Linux",
            Self::Unsupported => {
                "use Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK, and a container profile that allows the \
                 landlock system calls"
            }
            Self::Disabled => "add landlock to the list of security modules at boot (the kernel parameter lsm=)",
            Self::Denied { .. } => "let the container's seccomp profile allow the landlock system calls",
            Self::Untried { .. } => "free processes, descriptors or memory",
        }
    }
}

/// Whether, and how well, a child can be held to [`FileAccess::Only`]. The first call tries it, in a process that is
/// forked for it and runs no program; the answer is remembered. It takes about a millisecond, which the thread waits
/// for.
///
/// # Errors
///
/// Why not.
pub fn file_containment() -> Result<FileContainment, FileContainmentError> {
    static TRIED: OnceLock<Result<FileContainment, FileContainmentError>> = OnceLock::new();
    if let Some(outcome) = TRIED.get() {
        return outcome.clone();
    }
    match platform::try_files() {
        Err(untried @ FileContainmentError::Untried { .. }) => Err(untried),
        outcome => TRIED.get_or_init(|| outcome).clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_old_kernel_lacks_is_named() {
        let complete = FileContainment { version: 7, truncation: true, devices: true, scopes: true };
        assert_eq!(complete.missing(), None);
        let old = FileContainment { version: 4, truncation: true, devices: false, scopes: false };
        assert_eq!(old.missing().as_deref(), Some("commands to devices, signals and abstract sockets"));
    }

    #[test]
    fn every_reason_has_a_hint() {
        use FileContainmentError::{Denied, Disabled, Unsupported, Untried};
        for reason in [Unsupported, Disabled, Denied { code: 1 }, Untried { code: 11 }] {
            assert!(!reason.hint().is_empty() && !reason.to_string().is_empty());
        }
    }
}
