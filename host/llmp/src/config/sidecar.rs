//! Where the Copilot CLI comes from.

use super::file::SidecarTable;
use super::secrets::{any_secret, looks_like_github_token};
use super::{Attach, Environment, From, Report, SidecarSource, printable};
use crate::failure::Failure;
use llm_provider_host::Network;
use llm_provider_host::artefact::{COPILOT_CLI, Integrity, Version};
use std::net::SocketAddr;
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

/// Whether each turn gets a process of its own. `GITHUB_COPILOT_LEGACY` means it only as exactly `true` (S09).
pub(super) fn legacy(table: &SidecarTable, env: &Environment, report: &mut Report) -> Result<bool, Failure> {
    const LEGACY: &str = "GITHUB_COPILOT_LEGACY";
    let variable = env.given(LEGACY)?;
    if let Some(given) = variable.as_ref().filter(|given| given.value != "true") {
        report.note(format!("{LEGACY} is `{}` and not `true`, which means nothing", printable(&given.value)));
    }
    let variable = variable.filter(|given| given.value == "true").map(|given| From { value: true, from: given.from });
    let chosen = report.choose("sidecar.legacy", [variable, table.legacy.clone()]);
    Ok(chosen.is_some_and(|given| given.value))
}

/// A server that runs already, if one is named.
pub(super) fn attach(table: &SidecarTable, env: &Environment) -> Result<Option<Attach>, Failure> {
    let Some(given) = &table.attach else {
        let stray = table.attach_token.as_ref().map(|place| &place.from);
        return match stray.or_else(|| table.attach_dir.as_ref().map(|dir| &dir.from)) {
            Some(from) => {
                Err(Failure::usage(format!("{from} has no meaning without `attach`"), "name the address too"))
            }
            None => Ok(None),
        };
    };
    let address = given.value.parse::<SocketAddr>().map_err(|_| {
        let message = format!("{} is no address and port: `{}`", given.from, printable(&given.value));
        Failure::usage(message, "write it as 127.0.0.1:3000")
    })?;
    let working_dir = table.attach_dir.as_ref().ok_or_else(|| {
        let message = format!("{} names a server, and nothing says in which directory it may work", given.from);
        Failure::usage(message, "name a directory that exists where it runs with `attach-dir`")
    })?;
    let token = table.attach_token.as_ref().map(|place| any_secret(place, env)).transpose()?;
    Ok(Some(Attach { address, token: token.map(|token| token.value), working_dir: working_dir.value.clone() }))
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
