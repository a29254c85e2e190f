//! Whether a child can be started without a network, and why not.

use std::sync::OnceLock;

use crate::platform;

/// Why a child cannot have a network namespace of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IsolationError {
    /// The platform, or this kernel, has no such thing.
    #[error("this system has no network namespaces")]
    Unsupported,
    /// The kernel's settings, the rules of a container or a security module forbid it to this user.
    #[error("this system does not let this user make a network namespace ({call}: {})", told(*code))]
    Denied {
        /// What was refused.
        call: &'static str,
        /// The system's error number.
        code: i32,
    },
    /// As many namespaces as may be exist already, which may be none.
    #[error("this system allows no more namespaces to this user ({call}: {})", told(*code))]
    Exhausted {
        /// What was refused.
        call: &'static str,
        /// The system's error number.
        code: i32,
    },
    /// It could not be found out: no process could be forked. Nothing of this is remembered.
    #[error("it could not be tried whether this system has network namespaces: {}", told(*code))]
    Untried {
        /// The system's error number; 0 where there was none.
        code: i32,
    },
}

impl IsolationError {
    /// What whoever runs the machine can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unsupported => None,
            Self::Denied { .. } => Some(
                "allow user namespaces (the sysctls kernel.apparmor_restrict_unprivileged_userns and \
                 kernel.unprivileged_userns_clone, or the container's seccomp profile)",
            ),
            Self::Exhausted { .. } => Some("raise the sysctls user.max_net_namespaces and user.max_user_namespaces"),
            Self::Untried { .. } => Some("free processes, descriptors or memory"),
        }
    }
}

/// The system's words for an error number.
fn told(code: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(code)
}

/// Whether a child can be started with [`NetworkAccess::None`](crate::NetworkAccess::None). The first call tries it, in
/// a process that is forked for it and runs no program; the answer is remembered. It takes about a millisecond, which
/// the thread waits for.
///
/// A start may still fail where this succeeded, since the number of namespaces is limited.
///
/// # Errors
///
/// Why not.
pub fn network_isolation() -> Result<(), IsolationError> {
    static TRIED: OnceLock<Result<(), IsolationError>> = OnceLock::new();
    if let Some(outcome) = TRIED.get() {
        return outcome.clone();
    }
    match platform::try_isolation() {
        // Later there may be room for a process.
        Err(untried @ IsolationError::Untried { .. }) => Err(untried),
        outcome => TRIED.get_or_init(|| outcome).clone(),
    }
}
