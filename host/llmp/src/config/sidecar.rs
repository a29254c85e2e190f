//! Where the Copilot CLI comes from.

use super::file::SidecarTable;
use super::secrets::looks_like_github_token;
use super::{Environment, From, Report, SidecarSource, printable};
use crate::failure::Failure;
use llm_provider_host::Network;
use llm_provider_host::artefact::{COPILOT_CLI, Integrity, Version};
use std::path::Path;

pub(super) fn resolve(
    table: SidecarTable,
    network: Network,
    env: &Environment,
    working_dir: &Path,
    report: &mut Report,
) -> Result<SidecarSource, Failure> {
    const PATH: &str = "COPILOT_CLI_PATH";
    let variable = env.path(PATH)?;
    let variable = variable.map(|path| From { value: working_dir.join(path), from: PATH.to_owned() });
    let path = report.choose("sidecar.path", [variable, table.path]);
    let (environment_path, path) = match path {
        Some(given) if given.from == PATH => (Some(given), None),
        other => (None, other),
    };
    let version = report.choose("sidecar.version", [env.given("GITHUB_COPILOT_CLI_VERSION")?, table.version]);
    let url = report.choose("sidecar.url", [env.given("GITHUB_COPILOT_CLI_URL")?, table.url]);
    let integrity = report.choose("sidecar.integrity", [table.integrity]);
    let offline = report.choose("sidecar.offline", [table.offline]);
    version.as_ref().map_or(Ok(()), check_version)?;
    integrity.as_ref().map_or(Ok(()), check_integrity)?;
    Ok(SidecarSource {
        path,
        environment_path,
        version,
        url,
        integrity: integrity.map(|given| given.value),
        offline: offline.is_some_and(|given| given.value),
        network,
        variables: table.env.into_iter().map(variable_of_sidecar).collect::<Result<_, _>>()?,
    })
}

fn check_version(version: &From<String>) -> Result<(), Failure> {
    let From { value, from } = version;
    let example = &COPILOT_CLI.default_version;
    if value == "latest" {
        return Err(Failure::usage(
            format!("{from} is `latest`, which is no version: it would change under you and cannot be verified"),
            format!("name a version, such as {example}, or leave it out"),
        ));
    }
    Version::parse(value).map(drop).map_err(|_| {
        let message = format!("{from} is no version: `{}`", printable(value));
        Failure::usage(message, format!("write it as {example}, or leave it out"))
    })
}

fn check_integrity(integrity: &From<String>) -> Result<(), Failure> {
    integrity.value.parse::<Integrity>().map(drop).map_err(|_| {
        let message = format!("{} is no digest", integrity.from);
        Failure::usage(message, "write it as npm does: \"sha512-\" and 88 characters of base64")
    })
}

fn variable_of_sidecar((name, text): (String, From<String>)) -> Result<(String, String), Failure> {
    if name.is_empty() || name.contains(['=', '\0']) || text.value.contains('\0') {
        let message = format!("{} cannot be a variable", text.from);
        return Err(Failure::usage(message, "use letters, digits and `_` for its name"));
    }
    if looks_like_github_token(&text.value) {
        let message = format!("{} would be a secret, and secrets do not stand in this file", text.from);
        return Err(Failure::usage(message, "the GitHub token has its own place: COPILOT_GITHUB_TOKEN or [github]"));
    }
    Ok((name, text.value))
}
