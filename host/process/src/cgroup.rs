//! A control group for a child, where the operator has given this process a place for some.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::platform;

/// What all processes of a child together may take, where the machine lets a control group of theirs be bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CgroupLimits {
    /// Processes and threads (`pids.max` counts both). 512: the Copilot CLI has 25 threads on two cores and a worker
    /// more for each further core, and a tool's build some dozens of processes; a bomb of a thousand stops half-way.
    pub tasks: u64,
    /// Bytes of memory (`memory.max`). 1 GiB: the CLI holds 250 MiB once it has started, and 32 of them at their limit
    /// are what a large host has.
    pub memory_bytes: u64,
}

impl Default for CgroupLimits {
    fn default() -> Self {
        Self { tasks: 512, memory_bytes: 1 << 30 }
    }
}

/// What control groups hold on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CgroupContainment {
    /// Processes and memory are bounded. A child ends with all its descendants either way.
    pub limits: bool,
}

/// Why a child cannot have a control group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CgroupError {
    /// No control groups of version 2 are mounted, or the kernel cannot end one at once.
    #[error("this system has no control groups (version 2, Linux 5.14 or later)")]
    Unsupported,
    /// The group of this process is not its to divide.
    #[error("no control group can be made in {}: {}", directory.display(), std::io::Error::from_raw_os_error(*code))]
    NotGiven {
        /// Where it was tried.
        directory: PathBuf,
        /// The system's error number.
        code: i32,
    },
    /// It could not be found out: nothing could be forked or opened. Nothing of this is remembered.
    #[error("it could not be tried whether this system has control groups: {}", std::io::Error::from_raw_os_error(*code))]
    Untried {
        /// The system's error number; 0 where there was none.
        code: i32,
    },
}

impl CgroupError {
    /// What whoever runs the machine can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsupported => "use Linux 5.14 or later with control groups of version 2 mounted",
            Self::NotGiven { .. } => CGROUP_HINT,
            Self::Untried { .. } => "free processes, descriptors or memory",
        }
    }
}

/// How an operator gives a place for control groups.
pub const CGROUP_HINT: &str = "run it as a systemd service or scope with Delegate=yes, and DelegateSubgroup=host for \
                               limits of memory and processes";

/// Whether a child can have a control group, and whether that bounds anything. The first call tries it, in a process
/// that is forked for it and runs no program; the answer is remembered. The thread waits for it, some milliseconds.
///
/// The place is the group of this process, or the one above it where systemd has marked that as given
/// (`Delegate=` with `DelegateSubgroup=`): the kernel bounds no group inside of one that has processes itself. In the
/// one above, the controllers of tasks and memory are turned on, which systemd leaves to whom it is given.
///
/// # Errors
///
/// Why not.
pub fn cgroup_containment() -> Result<CgroupContainment, CgroupError> {
    static TRIED: OnceLock<Result<CgroupContainment, CgroupError>> = OnceLock::new();
    if let Some(outcome) = TRIED.get() {
        return outcome.clone();
    }
    match platform::try_cgroup() {
        Err(untried @ CgroupError::Untried { .. }) => Err(untried),
        outcome => TRIED.get_or_init(|| outcome).clone(),
    }
}
