//! What a company network needs: a proxy, certificates, a GitHub of one's own.

use super::file::NetworkTable;
use super::{Environment, From, NoProxy, Provider, Report, endpoint};
use crate::failure::Failure;
use llm_provider_host::Network;
use llm_provider_host::egress::{Origin, Proxy};
use std::path::{Path, PathBuf};

const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A model server on this machine is never reached through a proxy elsewhere.
const LOOPBACK: &str = "localhost,127.0.0.1,::1";

pub(super) fn resolve(
    table: &NetworkTable,
    env: &Environment,
    provider: &Provider,
    working_dir: &Path,
    report: &mut Report,
) -> Result<Network, Failure> {
    let proxy = with_variables("proxy", &PROXY, &table.proxy, env, report)?;
    if let Some(proxy) = &proxy {
        check_proxy(proxy)?;
    }
    let no_proxy = with_variables("no-proxy", &NO_PROXY, &table.no_proxy, env, report)?;
    if let (Some(_), Some(given)) = (&proxy, &no_proxy) {
        check_no_proxy(given, report);
    }
    let no_proxy = no_proxy.map(|given| given.value);
    let no_proxy = match (&proxy, no_proxy) {
        (Some(_), Some(hosts)) => Some(format!("{hosts},{LOOPBACK}")),
        (Some(_), None) => Some(LOOPBACK.to_owned()),
        (None, hosts) => hosts,
    };
    let api_url = with_variables("api-url", &["COPILOT_API_URL"], &table.api_url, env, report)?;
    if let Some(url) = &api_url {
        check_api_url(url, provider, report)?;
    }
    let github_host = with_variables("github-host", &["COPILOT_GH_HOST"], &table.github_host, env, report)?;
    Ok(Network {
        proxy: proxy.map(|given| given.value),
        no_proxy,
        ca_bundle: ca_bundle(table, env, working_dir, report)?,
        github_host: github_host.map(|given| given.value),
        api_url: api_url.map(|given| given.value),
    })
}

fn with_variables(
    setting: &str,
    names: &[&str],
    in_file: &Option<From<String>>,
    env: &Environment,
    report: &mut Report,
) -> Result<Option<From<String>>, Failure> {
    let mut offers = env.each(names)?;
    offers.push(in_file.clone());
    Ok(report.choose(setting, offers))
}

/// A password may stand in a variable, not in the file. It is never shown.
fn check_proxy(proxy: &From<String>) -> Result<(), Failure> {
    if Proxy::new(&proxy.value).is_err() {
        let message = format!("{} is no address of a proxy", proxy.from);
        return Err(Failure::usage(message, "write it as http://host:port"));
    }
    let in_file = !PROXY.contains(&proxy.from.as_str());
    if in_file && Origin::of(&proxy.value).is_err() {
        let message = format!("{} has a user or a password in it, and secrets do not stand in this file", proxy.from);
        return Err(Failure::usage(message, "set HTTPS_PROXY to the whole address instead"));
    }
    Ok(())
}

/// The list may be another program's, which understands more.
fn check_no_proxy(given: &From<String>, report: &mut Report) {
    for entry in NoProxy::read(&given.value).1 {
        report.problem(
            format!(
                "{} lists `{entry}`, which is not understood: what it means is reached through the proxy",
                given.from
            ),
            "write names (example.com), addresses, nets (10.0.0.0/8), each with or without a port, or *",
        );
    }
}

fn check_api_url(url: &From<String>, provider: &Provider, report: &mut Report) -> Result<(), Failure> {
    let origin = Origin::of(&url.value).map_err(|error| {
        let message = format!("{} is no address of the Copilot API: {error}", url.from);
        Failure::usage(message, "write it as https://host")
    })?;
    if matches!(provider, Provider::Github { .. }) {
        report.note(format!("the GitHub token goes to {origin}, as {} says", url.from));
        if origin.scheme() == llm_provider_host::egress::Scheme::Http && !endpoint::is_loopback(&origin) {
            report.problem(
                format!("the GitHub token goes to {origin} without encryption"),
                format!("write https:// in {}", url.from),
            );
        }
    }
    Ok(())
}

fn ca_bundle(
    table: &NetworkTable,
    env: &Environment,
    working_dir: &Path,
    report: &mut Report,
) -> Result<Option<PathBuf>, Failure> {
    const VARIABLE: &str = "NODE_EXTRA_CA_CERTS";
    let variable = env.path(VARIABLE)?;
    let variable = variable.map(|path| From { value: working_dir.join(path), from: VARIABLE.to_owned() });
    let Some(given) = report.choose("ca-bundle", [variable, table.ca_bundle.clone()]) else { return Ok(None) };
    if !given.value.is_file() {
        let message = format!("{} names {}, which is no file", given.from, given.value.display());
        // Node itself warns and goes on when the variable's file is missing.
        if given.from == VARIABLE {
            report.problem(message, format!("correct or unset {VARIABLE}"));
            return Ok(None);
        }
        return Err(Failure::usage(message, "name a file of PEM certificates"));
    }
    Ok(Some(given.value))
}
