//! What an entry of the catalogue decides: program, arguments, environment and directories.

use llm_provider_process::Spec;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

/// A sidecar that cannot be started now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SidecarUnavailable {
    /// What happened and where, in one line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// How to start a sidecar.
#[derive(Debug)]
pub struct Launch {
    /// Program, arguments, environment and directory. Secret variables are added by the host.
    pub spec: Spec,
    /// The version that was found.
    pub version: String,
    /// The directory to name to the program as the place to work in.
    pub working_directory: PathBuf,
}

/// The future of [`SidecarProgram::prepare`].
pub type Preparing<'a> = Pin<Box<dyn Future<Output = Result<Launch, SidecarUnavailable>> + Send + 'a>>;

/// An entry of the catalogue: a program the host knows how to find and to start.
pub trait SidecarProgram: Send + Sync {
    /// The name plugins ask for.
    fn name(&self) -> &str;

    /// Variables that may carry a secret.
    fn secret_variables(&self) -> &[&str];

    /// Finds or fetches the program and makes its directories below `tenant_directory`. `secret_variables` are those
    /// this run will have.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing half done.
    fn prepare<'a>(&'a self, tenant_directory: &'a Path, secret_variables: &'a [String]) -> Preparing<'a>;
}
