//! From configuration to the request for the Copilot CLI's program.

use crate::config::{Environment, From as Sourced, Resolved};
use crate::failure::Failure;
use llm_provider_host::artefact::{
    COPILOT_CLI, Egress, Error, Given, Integrity, Platform, Proxies, Request, Roots, Runner, Secret, Version, npm,
};
use llm_provider_host::{Commands, Network};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Builds the request. Runs nothing and uses no network.
///
/// # Errors
/// A [`Failure`] that names the setting which cannot be used.
pub(crate) fn request(resolved: &Resolved, env: &Environment, working_dir: &Path) -> Result<Request, Failure> {
    let source = &resolved.sidecar;
    let runner: Arc<dyn Runner> = Arc::new(Commands { search_path: env.lookup("PATH").map(OsString::from) });
    let platform = Platform::current().map_err(unusable)?;
    let mut request = Request::new(COPILOT_CLI, platform, &resolved.cache_dir.value);
    if let Some(version) = &source.version {
        request.version = parsed::<Version>(version, "no version", "write it as 1.2.3")?;
    }
    request.explicit_path = source.path.as_ref().map(given);
    request.environment_path = source.environment_path.as_ref().map(given);
    if let Some(url) = &source.url {
        let hint = "write it as https://host/path/package.tgz";
        request.override_url = Some(Given::new(parsed(url, "no address", hint)?, url.from.clone()));
        if !request.override_url.iter().all(|url| matches!(url.value.scheme(), "https" | "http")) {
            return Err(Failure::usage(format!("{} is no http address", url.from), hint));
        }
    }
    if let Some(text) = &source.integrity {
        let digest = Sourced { value: text.clone(), from: "sidecar.integrity".to_owned() };
        request.integrity = Some(parsed::<Integrity>(&digest, "no digest", "write it as npm does: \"sha512-...\"")?);
    }
    request.npm = Some(npm_inputs(&source.network, env, working_dir, Arc::clone(&runner))?);
    request.offline = source.offline;
    request.egress = egress(&source.network)?;
    request.runner = Some(runner);
    Ok(request)
}

/// A failure of the artefact crate with its hint.
pub(crate) fn unusable(error: Error) -> Failure {
    let mut failure = Failure::usage(error.to_string(), "");
    failure.hint = error.hint();
    failure
}

fn given(path: &Sourced<PathBuf>) -> Given<PathBuf> {
    Given::new(path.value.clone(), path.from.clone())
}

/// The value itself is not shown: an address may hold a password.
fn parsed<T: std::str::FromStr>(text: &Sourced<String>, problem: &str, hint: &str) -> Result<T, Failure> {
    text.value.parse().map_err(|_| Failure::usage(format!("{} is {problem}", text.from), hint))
}

fn egress(network: &Network) -> Result<Egress, Failure> {
    let proxy = || network.proxy.clone().map(Secret::new);
    let roots = match &network.ca_bundle {
        None => Roots::default(),
        Some(path) => {
            let wrong = |problem: String| {
                let message = format!("the certificates in {} cannot be used: {problem}", path.display());
                Failure::usage(message, "name a file of PEM certificates in NODE_EXTRA_CA_CERTS or [network] ca-bundle")
            };
            let pem = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
            Roots::with_extra(&pem).map_err(wrong)?
        }
    };
    Ok(Egress { proxies: Proxies { https: proxy(), http: proxy(), no_proxy: network.no_proxy.clone() }, roots })
}

/// npm's own settings go first; what it does not know of the network it learns from `[network]`.
fn npm_inputs(
    network: &Network,
    env: &Environment,
    working_dir: &Path,
    runner: Arc<dyn Runner>,
) -> Result<npm::Inputs, Failure> {
    // Without a home there is nothing below it; the working directory is no stand-in, since its files may be a stranger's.
    let home = env.home()?.unwrap_or_else(|| PathBuf::from("/dev/null"));
    let (env, network) = (env.clone(), network.clone());
    let lookup = move |name: &str| {
        env.lookup(name).filter(|value| !value.is_empty()).or_else(|| match name {
            "HTTPS_PROXY" => network.proxy.clone(),
            "NO_PROXY" => network.no_proxy.clone(),
            "NODE_EXTRA_CA_CERTS" => network.ca_bundle.as_ref().map(|path| path.display().to_string()),
            _ => None,
        })
    };
    let mut inputs = npm::Inputs::new(lookup, home, working_dir);
    inputs.runner = Some(runner);
    Ok(inputs)
}

#[cfg(test)]
mod tests;
