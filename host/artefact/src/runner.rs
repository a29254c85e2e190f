//! Short commands, run by the embedder.

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

/// A command that prints a line and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortCommand {
    /// Program: a path.
    pub program: PathBuf,
    /// Arguments.
    pub args: Vec<String>,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Longest run.
    pub timeout: Duration,
    /// Most bytes of standard output.
    pub max_output: usize,
}

/// The future a [`Runner`] gives: standard output of a command that ended with success, or one line about what failed.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Runs short commands. This crate starts no process itself: the embedder's process module does, with its rules.
pub trait Runner: Send + Sync {
    /// Runs one command to its end.
    ///
    /// # Cancel safety
    /// Dropping the future must end the process.
    fn run(&self, command: ShortCommand) -> Running<'_>;
}
