//! Why a program could not be run.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::isolation::IsolationError;

/// Why a child could not be started. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// This platform has no implementation yet.
    #[error("child processes are supported on Linux only, so far")]
    Unsupported,
    /// The program is not an absolute path.
    #[error("the program {} is not an absolute path", program.display())]
    RelativeProgram {
        /// The program.
        program: PathBuf,
    },
    /// The program, or the interpreter that its first line names, does not exist.
    #[error("the program {} does not exist", program.display())]
    NotFound {
        /// The program.
        program: PathBuf,
    },
    /// The program exists and may not be executed, or is no program of this machine.
    #[error("the program {} cannot be executed: {source}", program.display())]
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The working directory does not exist or may not be entered.
    #[error("the working directory {} cannot be entered", cwd.display())]
    WorkingDirectory {
        /// The directory.
        cwd: PathBuf,
    },
    /// An argument, variable or path cannot be handed to a program.
    #[error("{what}")]
    Malformed {
        /// Which part, and why.
        what: &'static str,
    },
    /// It was to run without a network, and the system does not allow that. It was not started with one instead.
    #[error("the program {} cannot be started without a network: {reason}", program.display())]
    Isolation {
        /// The program.
        program: PathBuf,
        /// Why not.
        reason: IsolationError,
    },
    /// The machine has no processes, descriptors or memory left, or too many starts wait already. Trying again later
    /// may succeed.
    #[error("out of processes, descriptors or memory: {source}")]
    Exhausted {
        /// What the system said.
        source: io::Error,
    },
    /// Anything else.
    #[error("the program {} could not be started: {source}", program.display())]
    Io {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SpawnError {
    /// True where the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Exhausted { .. })
    }
}

/// Why a short command gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// It could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It was still running, and was killed.
    #[error("no answer within {} ms", after.as_millis())]
    Timeout {
        /// The time it had.
        after: Duration,
    },
    /// It wrote more than it may, and was killed.
    #[error("more than {limit} bytes of output")]
    TooMuchOutput {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Its output could not be read.
    #[error("its output could not be read: {source}")]
    Io {
        /// What the system said.
        source: io::Error,
    },
}
