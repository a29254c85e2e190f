//! The catalogue's entry `copilot-cli-oneshot`: GitHub's Copilot CLI as scripts use it. A run gets a prompt on its
//! standard input, writes what comes of it as JSON lines, and ends.
//!
//! Nothing of the plugin's reaches an argument or a variable unchecked, and the prompt is never one. What stands here
//! was seen with version 1.0.102.

use super::cli_environment::environment;
use super::copilot_cli::{CopilotCli, version};
use super::isolation::Isolation;
use super::oneshot_settings::Settings;
use super::options::{CliOptions, SidecarOptions};
use super::program::{Launch, Preparing, SidecarProgram, SidecarUnavailable, Start, Wanted};
use llm_provider_process::Spec;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the entry, and of its directory below the tenant's.
const NAME: &str = "copilot-cli-oneshot";
/// The first of the variables in which the CLI looks for a GitHub token.
const TOKEN_VARIABLE: &str = "COPILOT_GITHUB_TOKEN";
/// The variable in which it looks for the key of an endpoint of one's own.
const KEY_VARIABLE: &str = "COPILOT_PROVIDER_API_KEY";
/// Variables that only this entry and the settings may set: they decide what the CLI may do and where it connects to.
const OWN: [&str; 16] = [
    TOKEN_VARIABLE,
    KEY_VARIABLE,
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "COPILOT_ALLOW_ALL",
    "COPILOT_MODEL",
    "COPILOT_OFFLINE",
    "COPILOT_PROVIDER_API_KEY_COMMAND",
    "COPILOT_PROVIDER_AZURE_API_VERSION",
    "COPILOT_PROVIDER_BASE_URL",
    "COPILOT_PROVIDER_BEARER_TOKEN",
    "COPILOT_PROVIDER_MAX_OUTPUT_TOKENS",
    "COPILOT_PROVIDER_MAX_PROMPT_TOKENS",
    "COPILOT_PROVIDER_TYPE",
    "COPILOT_PROVIDER_WIRE_API",
    "COPILOT_PROVIDER_HEADERS",
];
/// What every run is told: answer and JSON only, none of the CLI's own tools (there is no tool named `none`), nothing
/// ambient, nothing remote.
const ARGUMENTS: [&str; 14] = [
    "--silent",
    "--output-format=json",
    "--available-tools=none",
    "--no-auto-update",
    "--no-custom-instructions",
    "--no-ask-user",
    "--no-remote",
    "--no-remote-export",
    "--no-experimental",
    "--no-color",
    "--disable-builtin-mcps",
    "--disable-client-telemetry",
    "--disallow-temp-dir",
    "--log-level=error",
];

/// The Copilot CLI, one process for each turn. It may stand beside [`CopilotCli`] in a policy; each has a state of its
/// own.
#[derive(Clone)]
pub struct CopilotOneShot {
    /// Which program, and what its environment needs. [`CopilotCli::attach`] has no meaning here. A run sends its
    /// requests itself, so it always has a network, and [`Isolation::Required`] is refused.
    pub cli: CopilotCli,
}

impl CopilotOneShot {
    async fn launch(&self, wanted: Wanted<'_>) -> Result<Launch, SidecarUnavailable> {
        if self.cli.isolation == Isolation::Required {
            return Err(refused(format!(
                "the sidecar {NAME} sends its requests itself and cannot do without a network"
            )));
        }
        let settings = Settings::check(wanted.settings).map_err(|why| refused(format!("the sidecar {NAME}: {why}")))?;
        // A GitHub token never goes where an endpoint of one's own is asked, nor that endpoint's key to GitHub.
        let misplaced = if settings.is_own_endpoint() { TOKEN_VARIABLE } else { KEY_VARIABLE };
        if wanted.secret_variables.iter().any(|name| name == misplaced) {
            let other = if settings.is_own_endpoint() { "an endpoint of one's own" } else { "GitHub" };
            return Err(refused(format!("the sidecar {NAME}: {misplaced} has no meaning for {other}")));
        }
        let found = self.cli.find().await?;
        let places = self.cli.places(&found, wanted, NAME).await?;
        let report = report(&places.temporary, settings.session())?;
        let spec = self.cli.contained(&found, &places);
        let spec = ARGUMENTS.iter().fold(spec, |spec, argument| spec.arg(*argument));
        let mut usage = std::ffi::OsString::from("--usage-output-file=");
        usage.push(&report);
        let spec = settings.arguments().into_iter().fold(spec.arg(usage), Spec::arg);
        let spec = environment(spec, &places, &self.cli.network, &self.cli.variables, &OWN)?;
        let spec = settings.variables().into_iter().fold(spec, |spec, (name, value)| spec.env(name, value));
        Ok(Launch {
            start: Start::Spawn(Box::new(spec)),
            version: version(&found),
            working_directory: places.work,
            report: Some(report),
        })
    }
}

impl SidecarProgram for CopilotOneShot {
    fn name(&self) -> &str {
        NAME
    }

    fn secret_variables(&self) -> &[&str] {
        &[TOKEN_VARIABLE, KEY_VARIABLE]
    }

    fn with_options(&self, options: SidecarOptions) -> Result<Option<Arc<dyn SidecarProgram>>, String> {
        let mut own = self.clone();
        options.read::<CliOptions>()?.apply(&mut own.cli.network, &mut own.cli.isolation);
        Ok(Some(Arc::new(own)))
    }

    fn prepare<'a>(&'a self, wanted: Wanted<'a>) -> Preparing<'a> {
        Box::pin(self.launch(wanted))
    }
}

/// Where the CLI leaves its usage. What an earlier run left there, which was killed before it was read, is not this
/// run's.
fn report(directory: &Path, session: &str) -> Result<PathBuf, SidecarUnavailable> {
    let path = directory.join(format!("usage-{session}.json"));
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(refused(format!("cannot remove the old report {}: {error}", path.display())))
        }
        _ => Ok(path),
    }
}

fn refused(message: String) -> SidecarUnavailable {
    SidecarUnavailable { message, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_provider_artefact::{COPILOT_CLI, Platform, Request};
    use std::collections::BTreeMap;

    /// What an entry says to a run that it refuses before it looks for the program.
    async fn refusal(settings: &[(&str, &str)], secret: &str) -> String {
        let directory = Path::new("/nonexistent");
        let request = Request::new(COPILOT_CLI, Platform::current().expect("a platform"), directory.to_owned());
        let with = [("session-id", "0cb916db-26aa-40f2-86b5-1ba81b225fd2")];
        let settings: BTreeMap<String, String> =
            with.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let secret_variables = [secret.to_owned()];
        let wanted = Wanted { tenant_directory: directory, secret_variables: &secret_variables, settings: &settings };
        let entry = CopilotOneShot { cli: CopilotCli::new(request) };
        entry.prepare(wanted).await.expect_err("refused").to_string()
    }

    #[tokio::test]
    async fn a_secret_goes_to_its_own_side_only() {
        let endpoint = [("provider-base-url", "http://127.0.0.1:9/v1")];
        assert!(refusal(&endpoint, TOKEN_VARIABLE).await.contains("has no meaning for an endpoint of one's own"));
        assert!(refusal(&[], KEY_VARIABLE).await.contains("has no meaning for GitHub"));
    }

    #[tokio::test]
    async fn isolation_that_is_required_is_refused_and_not_forgotten() {
        let directory = Path::new("/nonexistent");
        let request = Request::new(COPILOT_CLI, Platform::current().expect("a platform"), directory.to_owned());
        let cli = CopilotCli { isolation: Isolation::Required, ..CopilotCli::new(request) };
        let settings = BTreeMap::new();
        let wanted = Wanted { tenant_directory: directory, secret_variables: &[], settings: &settings };
        let error = CopilotOneShot { cli }.prepare(wanted).await.expect_err("refused").to_string();
        assert!(error.contains("cannot do without a network"), "{error}");
    }

    #[tokio::test]
    async fn a_setting_that_is_not_known_is_refused_before_anything_is_found() {
        assert!(refusal(&[("allow-all-tools", "yes")], KEY_VARIABLE).await.contains("`allow-all-tools`"));
    }
}
