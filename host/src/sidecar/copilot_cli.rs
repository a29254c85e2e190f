//! The catalogue's entry `copilot-cli`: GitHub's Copilot CLI as a server, on standard input and output or attached to.
//!
//! What stands here was seen with version 1.0.102; ARCHITECTURE.md says how.

use super::cli_environment::{Network, Places, environment};
use super::containment;
use super::isolation::Isolation;
use super::options::{CliOptions, SidecarOptions};
use super::program::{Launch, Preparing, SidecarProgram, SidecarUnavailable, Start, Wanted};
use super::unpacked;
use llm_provider_artefact::{Located, Progress, Request};
use llm_provider_process::Spec;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The name of the entry, and of its directory below the tenant's.
const NAME: &str = "copilot-cli";
/// The variable the CLI is told to read its GitHub token from.
const TOKEN_VARIABLE: &str = "COPILOT_SDK_AUTH_TOKEN";

/// Receives the progress of a download.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// A CLI that runs already as a server on TCP (`copilot --server --port N` with `COPILOT_CONNECTION_TOKEN`), and that
/// somebody else starts and ends.
///
/// Whoever listens at the address gets the connection token, the endpoint's key and the conversations: use one that only
/// the server's owner can listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attach {
    /// Where it listens.
    pub address: SocketAddr,
    /// The directory to work in, as the server's machine names it. It must exist there.
    pub working_directory: PathBuf,
}

/// The Copilot CLI, found or fetched as its request says.
#[derive(Clone)]
pub struct CopilotCli {
    /// Which version, from where.
    pub artefact: Request,
    /// What the network needs.
    pub network: Network,
    /// Further variables for its environment, by name and value; `PATH` and `LANG` in place of the usual ones. Names of this
    /// entry's own variables are refused.
    pub variables: Vec<(String, String)>,
    /// Where its program is unpacked (235 MiB), once, by a run of its own; tenants read it and do not write it. Below the
    /// tenant's directory when absent. Account data is the tenant's own in any case.
    pub unpack_dir: Option<PathBuf>,
    /// Further files and directories that it may read and run. It reaches its own directories, its program, what every
    /// program needs and [`Network::ca_bundle`] without them, and nothing else where the system can hold it to that
    /// ([`file_containment`](llm_provider_process::file_containment)).
    pub readable: Vec<PathBuf>,
    /// Whether it is started without a network; what [`Self::network`] says leads nowhere then. The program itself is
    /// fetched by the host, and asked for its version, as ever.
    pub isolation: Isolation,
    /// A running one to attach to. Nothing is found, fetched or started then, and nothing else here has a meaning; only
    /// [`Isolation::Required`] is refused.
    pub attach: Option<Attach>,
    /// Told of a download's progress.
    pub on_progress: OnProgress,
}

impl CopilotCli {
    /// The entry for a request, with nothing special about the network.
    #[must_use]
    pub fn new(artefact: Request) -> Self {
        Self {
            artefact,
            network: Network::default(),
            variables: Vec::new(),
            unpack_dir: None,
            readable: Vec::new(),
            isolation: Isolation::default(),
            attach: None,
            on_progress: Arc::new(|_| ()),
        }
    }

    /// Finds or fetches the program.
    pub(super) async fn find(&self) -> Result<Located, SidecarUnavailable> {
        let on_progress = Arc::clone(&self.on_progress);
        llm_provider_artefact::obtain(&self.artefact, &move |progress| on_progress(progress))
            .await
            .map_err(|error| SidecarUnavailable { message: error.to_string(), hint: error.hint() })
    }

    /// The directories of an entry, with the program unpacked where all tenants read it.
    pub(super) async fn places(
        &self,
        found: &Located,
        wanted: Wanted<'_>,
        entry: &str,
    ) -> Result<Places, SidecarUnavailable> {
        if let Some(directory) = &self.unpack_dir {
            unpacked::unpack(found, directory, &self.network).await?;
        }
        let places = Places::below(wanted.tenant_directory, entry, self.unpack_dir.clone());
        places.create()?;
        Ok(places)
    }

    /// The program in its place, without arguments and environment, for whichever entry.
    pub(super) fn contained(&self, found: &Located, places: &Places) -> Spec {
        containment::contained(&found.path, places, &self.network, &self.readable)
    }

    async fn launch(&self, wanted: Wanted<'_>) -> Result<Launch, SidecarUnavailable> {
        if let Some(name) = wanted.settings.keys().next() {
            let message = format!("the sidecar {NAME} has no setting `{}`", name.escape_debug());
            return Err(SidecarUnavailable { message, hint: None });
        }
        if let Some(attach) = &self.attach {
            return attached(attach, self.isolation, wanted);
        }
        let found = self.find().await?;
        let places = self.places(&found, wanted, NAME).await?;
        Ok(Launch {
            start: Start::Spawn(Box::new(self.spec(&found, &places, wanted.secret_variables)?)),
            version: version(&found),
            working_directory: places.work,
            report: None,
        })
    }

    fn spec(&self, found: &Located, places: &Places, secret_variables: &[String]) -> Result<Spec, SidecarUnavailable> {
        let mut spec = self.contained(found, places).network(self.isolation.access());
        for argument in ["--server", "--stdio", "--no-auto-update", "--no-auto-login", "--log-level", "error"] {
            spec = spec.arg(argument);
        }
        if secret_variables.iter().any(|name| name == TOKEN_VARIABLE) {
            spec = spec.arg("--auth-token-env").arg(TOKEN_VARIABLE);
        }
        environment(spec, places, &self.network, &self.variables, &[TOKEN_VARIABLE])
    }
}

impl SidecarProgram for CopilotCli {
    fn name(&self) -> &str {
        NAME
    }

    fn secret_variables(&self) -> &[&str] {
        &[TOKEN_VARIABLE]
    }

    fn with_options(&self, options: SidecarOptions) -> Result<Option<Arc<dyn SidecarProgram>>, String> {
        let mut own = self.clone();
        options.read::<CliOptions>()?.apply(&mut own.network, &mut own.isolation);
        Ok(Some(Arc::new(own)))
    }

    fn prepare<'a>(&'a self, wanted: Wanted<'a>) -> Preparing<'a> {
        Box::pin(self.launch(wanted))
    }
}

/// The version that was found, for a person.
pub(super) fn version(found: &Located) -> String {
    found.version.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

fn attached(attach: &Attach, isolation: Isolation, wanted: Wanted<'_>) -> Result<Launch, SidecarUnavailable> {
    if isolation == Isolation::Required {
        return Err(SidecarUnavailable {
            message: "a Copilot CLI that runs already cannot be kept from the network".to_owned(),
            hint: Some("let the host start the CLI, or do not require its isolation".into()),
        });
    }
    if let Some(variable) = wanted.secret_variables.first() {
        return Err(SidecarUnavailable {
            message: format!("{variable} cannot be given to a Copilot CLI that runs already"),
            hint: Some("use an endpoint of one's own, or let the host start the CLI".into()),
        });
    }
    Ok(Launch {
        start: Start::Attach(attach.address),
        version: "unknown".to_owned(),
        working_directory: attach.working_directory.clone(),
        report: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_cli_is_given_no_login() {
        let attach =
            Attach { address: SocketAddr::from(([127, 0, 0, 1], 9)), working_directory: PathBuf::from("/there") };
        let settings = std::collections::BTreeMap::new();
        let wanted = |secret_variables| Wanted {
            tenant_directory: std::path::Path::new("/nonexistent"),
            secret_variables,
            settings: &settings,
        };
        let launch = attached(&attach, Isolation::WherePossible, wanted(&[])).expect("attached");
        assert!(matches!(launch.start, Start::Attach(address) if address == attach.address));
        assert_eq!((launch.working_directory, launch.report), (attach.working_directory.clone(), None));
        let secret = [TOKEN_VARIABLE.to_owned()];
        let refused = |isolation, wanted| attached(&attach, isolation, wanted).expect_err("refused").message;
        assert!(refused(Isolation::Never, wanted(&secret)).contains(TOKEN_VARIABLE));
        assert!(refused(Isolation::Required, wanted(&[])).contains("kept from the network"));
    }
}
