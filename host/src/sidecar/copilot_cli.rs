//! The catalogue's entry `copilot-cli`: GitHub's Copilot CLI as a server on standard input and output.
//!
//! What stands here was seen with version 1.0.102; ARCHITECTURE.md says how.

use super::program::{Launch, Preparing, SidecarProgram, SidecarUnavailable, Start, Wanted};
use crate::private_dir::create_private_dir;
use llm_provider_artefact::{Located, Progress, Request};
use llm_provider_process::Spec;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variable the CLI is told to read its GitHub token from.
const TOKEN_VARIABLE: &str = "COPILOT_SDK_AUTH_TOKEN";

/// Receives the progress of a download.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// What a company network needs. Nothing of it is taken from the host's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The proxy for http and https.
    pub proxy: Option<String>,
    /// Hosts reached without the proxy, comma-separated.
    pub no_proxy: Option<String>,
    /// A file of PEM certificates to trust besides the public ones.
    pub ca_bundle: Option<PathBuf>,
    /// A GitHub Enterprise host, such as `example.ghe.com`.
    pub github_host: Option<String>,
    /// Another address of the Copilot API.
    pub api_url: Option<String>,
}

/// The Copilot CLI, found or fetched as its request says.
#[derive(Clone)]
pub struct CopilotCli {
    /// Which version, from where.
    pub artefact: Request,
    /// What the network needs.
    pub network: Network,
    /// Further variables for its environment, by name and value. Names of this entry's own variables are refused.
    pub variables: Vec<(String, String)>,
    /// Where it unpacks itself (235 MiB) and keeps account data. Below the tenant's directory when absent.
    pub unpack_dir: Option<PathBuf>,
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
            on_progress: Arc::new(|_| ()),
        }
    }

    async fn launch(&self, wanted: Wanted<'_>) -> Result<Launch, SidecarUnavailable> {
        if let Some(name) = wanted.settings.keys().next() {
            let message = format!("the sidecar copilot-cli has no setting `{}`", name.escape_debug());
            return Err(SidecarUnavailable { message, hint: None });
        }
        let on_progress = Arc::clone(&self.on_progress);
        let found = llm_provider_artefact::obtain(&self.artefact, &move |progress| on_progress(progress))
            .await
            .map_err(|error| SidecarUnavailable { message: error.to_string(), hint: error.hint() })?;
        let places = Places::below(wanted.tenant_directory, self.unpack_dir.clone());
        places.create()?;
        Ok(Launch {
            start: Start::Spawn(self.spec(&found, &places, wanted.secret_variables)?),
            version: found.version.map_or_else(|| "unknown".to_owned(), |version| version.to_string()),
            working_directory: places.work,
            report: None,
        })
    }

    fn spec(&self, found: &Located, places: &Places, secret_variables: &[String]) -> Result<Spec, SidecarUnavailable> {
        let mut spec = Spec::new(&found.path, &places.work);
        for argument in ["--server", "--stdio", "--no-auto-update", "--no-auto-login", "--log-level", "error"] {
            spec = spec.arg(argument);
        }
        if secret_variables.iter().any(|name| name == TOKEN_VARIABLE) {
            spec = spec.arg("--auth-token-env").arg(TOKEN_VARIABLE);
        }
        spec = places.variables().into_iter().fold(spec, |spec, (name, path)| spec.env(name, path));
        for (name, value) in self.network.variables() {
            spec = spec.env(name, value);
        }
        for (name, value) in &self.variables {
            if spec.env.iter().any(|(taken, _)| taken == name.as_str()) || name == TOKEN_VARIABLE {
                return Err(SidecarUnavailable {
                    message: format!("the variable {name} of the sidecar is set by the host and cannot be given"),
                    hint: Some("take it out of the sidecar's further variables".into()),
                });
            }
            spec = spec.env(name, value);
        }
        Ok(spec.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("COPILOT_DISABLE_KEYTAR", "1"))
    }
}

impl SidecarProgram for CopilotCli {
    fn name(&self) -> &str {
        "copilot-cli"
    }

    fn secret_variables(&self) -> &[&str] {
        &[TOKEN_VARIABLE]
    }

    fn prepare<'a>(&'a self, wanted: Wanted<'a>) -> Preparing<'a> {
        Box::pin(self.launch(wanted))
    }
}

impl Network {
    fn variables(&self) -> Vec<(&'static str, String)> {
        let path = self.ca_bundle.as_ref().map(|path| path.display().to_string());
        let named = [
            ("HTTP_PROXY", self.proxy.clone()),
            ("HTTPS_PROXY", self.proxy.clone()),
            ("NO_PROXY", self.no_proxy.clone()),
            ("NODE_EXTRA_CA_CERTS", path.clone()),
            ("SSL_CERT_FILE", path),
            ("COPILOT_GH_HOST", self.github_host.clone()),
            ("COPILOT_API_URL", self.api_url.clone()),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The CLI's directories, all the tenant's own.
struct Places {
    home: PathBuf,
    state: PathBuf,
    cache: PathBuf,
    work: PathBuf,
    temporary: PathBuf,
}

impl Places {
    fn below(tenant: &Path, unpack_dir: Option<PathBuf>) -> Self {
        let own = tenant.join("copilot-cli");
        Self {
            home: own.join("home"),
            state: own.join("state"),
            cache: unpack_dir.unwrap_or_else(|| own.join("cache")),
            work: own.join("work"),
            temporary: own.join("tmp"),
        }
    }

    fn create(&self) -> Result<(), SidecarUnavailable> {
        for path in [&self.home, &self.state, &self.cache, &self.work, &self.temporary] {
            create_private_dir(path).map_err(|error| SidecarUnavailable {
                message: format!("cannot make the directory {}: {error}", path.display()),
                hint: Some("make its parent writable, or choose another data directory".into()),
            })?;
        }
        Ok(())
    }

    fn variables(&self) -> [(&'static str, &Path); 6] {
        [
            ("HOME", &self.home),
            ("COPILOT_HOME", &self.state),
            ("COPILOT_CACHE_HOME", &self.cache),
            ("XDG_CACHE_HOME", &self.cache),
            ("XDG_CONFIG_HOME", &self.home),
            ("TMPDIR", &self.temporary),
        ]
    }
}
