//! What an entry of the catalogue decides: program, arguments, environment and directories.

use super::options::SidecarOptions;
use llm_provider_process::Spec;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

/// A sidecar that cannot be started now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SidecarUnavailable {
    /// What happened and where, in one line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What is asked of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The tenant's own directory.
    pub tenant_directory: &'a Path,
    /// The variables with secrets that this run will have.
    pub secret_variables: &'a [String],
    /// The plugin's settings. The entry refuses those it does not know: they come from inside the sandbox.
    pub settings: &'a BTreeMap<String, String>,
}

/// How a sidecar is reached.
#[derive(Debug)]
pub enum Start {
    /// Start a process of its own: program, arguments, environment and directory. Secret variables are added by the host.
    Spawn(Box<Spec>),
    /// Connect to one that runs already and that others may use too.
    Attach(SocketAddr),
}

/// How to start a sidecar.
#[derive(Debug)]
pub struct Launch {
    /// How it is reached.
    pub start: Start,
    /// The version that was found.
    pub version: String,
    /// The directory to name to the program as the place to work in.
    pub working_directory: PathBuf,
    /// A file that it leaves behind for the plugin when it ends. Read, bounded by
    /// [`crate::Limits::sidecar_report_bytes`], and removed.
    pub report: Option<PathBuf>,
}

/// The future of [`SidecarProgram::prepare`].
pub type Preparing<'a> = Pin<Box<dyn Future<Output = Result<Launch, SidecarUnavailable>> + Send + 'a>>;

/// An entry of the catalogue: a program the host knows how to find and to start.
pub trait SidecarProgram: Send + Sync {
    /// The name plugins ask for.
    fn name(&self) -> &str;

    /// Variables that may carry a secret.
    fn secret_variables(&self) -> &[&str];

    /// The entry as a tenant's policy file wants it; `None` when that is as it is. Unless an entry says otherwise it has no
    /// options.
    ///
    /// # Errors
    /// What is wrong with the options, in one line.
    fn with_options(&self, options: SidecarOptions) -> Result<Option<Arc<dyn SidecarProgram>>, String> {
        options.none().map(|()| None)
    }

    /// Finds or fetches the program and makes its directories below the tenant's.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing half done.
    fn prepare<'a>(&'a self, wanted: Wanted<'a>) -> Preparing<'a>;
}
