//! The npm registry as the user's npm is configured.
//!
//! Precedence, first wins (as in npm 11): `npm_config_*` variables, the project's `.npmrc`, the user's `.npmrc`, the
//! machine's `npmrc`, npm's own `npmrc`; a scoped registry (`@scope:registry`) goes before `registry` whatever the
//! layer. When none of them names a registry, npm itself is asked: its built-in default is npm's to know.
//!
//! Unlike in npm, the project's file may only name registries and logins, and no variables: it may have come with a clone.
//!
//! `strict-ssl=false` is refused, never honoured: credentials would go to anybody. Client certificates (`certfile`,
//! `keyfile`) are not used.

mod credentials;
mod files;
mod ini;
mod layers;
mod project;
mod transport;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use credentials::Credentials;
pub(crate) use credentials::{is_loopback, is_plain};
pub use layers::Source;
use layers::{Layers, Setting};

use crate::{Egress, Error, Runner, ShortCommand};

/// A variable of the caller's environment by name.
pub type EnvLookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What npm's configuration is read from.
#[derive(Clone)]
pub struct Inputs {
    /// The caller's environment.
    pub env: EnvLookup,
    /// The home directory.
    pub home: PathBuf,
    /// The working directory, from which a project is looked for; absolute, or nothing above it is found.
    pub working_dir: PathBuf,
    /// Runs `npm config get registry` when no file and no variable names a registry.
    pub runner: Option<Arc<dyn Runner>>,
}

impl Inputs {
    /// Inputs without a way to ask npm.
    pub fn new(
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        home: impl Into<PathBuf>,
        working_dir: impl Into<PathBuf>,
    ) -> Self {
        Self { env: Arc::new(env), home: home.into(), working_dir: working_dir.into(), runner: None }
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { home, working_dir, runner, .. } = self;
        write!(f, "Inputs {{ home: {home:?}, working_dir: {working_dir:?}, npm: {} }}", runner.is_some())
    }
}

/// The registry and how to reach it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Base address; its path ends with `/`.
    pub registry: Url,
    /// Where the registry is set.
    pub source: Source,
    /// Credentials by address.
    pub credentials: Credentials,
    /// Proxy and roots.
    pub egress: Egress,
    /// What was left out and why: one line each, without secrets.
    pub notes: Vec<String>,
}

/// Resolves the registry of a scope (`@github`).
///
/// # Errors
/// [`Error::NpmSetting`] for a value that cannot be used, `strict-ssl=false` among them; [`Error::NoRegistry`] when no
/// file and no variable names one and npm cannot be asked.
///
/// # Cancel safety
/// Yes; nothing is written.
pub async fn resolve(inputs: &Inputs, scope: &str) -> Result<Settings, Error> {
    let layers = Layers::read(inputs);
    let (registry, source) = match registry_setting(&layers, inputs, scope) {
        Some((key, setting)) => (address(&setting, &key)?, setting.source),
        None => ask_npm(inputs).await?,
    };
    refuse_lax_tls(&layers, inputs)?;
    let egress = transport::egress(&layers, inputs)?;
    // To send a login without TLS is the user's decision.
    let plain = registry.scheme() == "http" && !matches!(source, Source::Project(_));
    let (credentials, left_out) = Credentials::read(&layers, inputs, &registry, plain);
    let mut notes = [layers.notes.as_slice(), &left_out].concat();
    for key in ["_auth", "_authToken"] {
        if let Some(setting) = layers.chosen(key, inputs) {
            notes.push(format!("{key} in {} is left out: it is not bound to a registry", setting.source));
        }
    }
    Ok(Settings { registry, source, credentials, egress, notes })
}

fn registry_setting(layers: &Layers, inputs: &Inputs, scope: &str) -> Option<(String, Setting)> {
    let keys = [format!("{scope}:registry"), "registry".to_owned()];
    keys.into_iter().find_map(|key| {
        let setting = layers.chosen(&key, inputs)?;
        Some((key, setting))
    })
}

fn address(setting: &Setting, key: &str) -> Result<Url, Error> {
    if let Some(variable) = setting.missing.first() {
        return Err(setting.wrong(key, format!("{variable} is not set")));
    }
    parse_address(&setting.value).map_err(|problem| setting.wrong(key, problem))
}

/// The value is not shown, nor a part of it: it may hold a password in a place that cannot be told. `user:password@host`
/// parses, with the user as the scheme.
fn parse_address(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("not an http address".to_owned());
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn refuse_lax_tls(layers: &Layers, inputs: &Inputs) -> Result<(), Error> {
    match layers.chosen("strict-ssl", inputs) {
        Some(setting) if setting.value == "false" => {
            Err(setting.wrong("strict-ssl", "certificates are always checked here"))
        }
        _ => Ok(()),
    }
}

/// Variables npm needs to find its files and to run at all. The rest of the environment is none of its business.
const FOR_NPM: [&str; 11] = [
    "PATH",
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "SystemRoot",
    "PATHEXT",
    "PREFIX",
    "npm_config_prefix",
    "npm_config_userconfig",
    "npm_config_globalconfig",
];

/// A cold start of npm on a slow disk takes some seconds; 20 s is generous.
const NPM_TIMEOUT: Duration = Duration::from_secs(20);

async fn ask_npm(inputs: &Inputs) -> Result<(Url, Source), Error> {
    let none = |detail: &str| Error::NoRegistry { detail: detail.to_owned() };
    let program = files::npm_program(inputs).ok_or_else(|| none(" and there is no npm in PATH"))?;
    let runner = inputs.runner.as_ref().ok_or_else(|| none(""))?;
    let env = FOR_NPM.iter().filter_map(|name| Some((OsString::from(name), (inputs.env)(name)?.into())));
    let command = ShortCommand {
        program: program.clone(),
        args: ["config", "get", "registry"].map(str::to_owned).to_vec(),
        // So told, npm reads no project's file, wherever the runner starts it: it would believe such a file in everything.
        env: env.chain([("npm_config_global".into(), "true".into())]).collect(),
        timeout: NPM_TIMEOUT,
        max_output: 4096,
    };
    let output = runner.run(command).await.map_err(|problem| none(&format!(": {}: {problem}", program.display())))?;
    let url = parse_address(output.trim())
        .map_err(|problem| none(&format!(": {} config get registry: {problem}", program.display())))?;
    Ok((url, Source::Npm(program)))
}

impl Settings {
    /// Whether a project's file chose the registry: a file that may have come with a clone.
    pub(crate) fn chosen_by_project(&self) -> bool {
        matches!(self.source, Source::Project(_))
    }
}

/// `~/x` below the home directory, else below the working directory.
fn resolve_path(value: &str, inputs: &Inputs) -> PathBuf {
    value.strip_prefix("~/").map_or_else(|| inputs.working_dir.join(value), |below| inputs.home.join(below))
}
