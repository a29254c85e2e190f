//! Configuration: `llmp.toml`, variables and flags, mapped to explicit values with their origins.
//!
//! Flags go before variables, variables before the file, the file before defaults. An empty variable counts as absent.
//! No secret's value stands in the file, in an error or in the report: only names of variables and files do.

mod available;
mod directories;
mod document;
mod duration;
mod endpoint;
mod environment;
mod file;
mod github;
mod infer;
mod location;
mod model;
mod nearest;
mod network;
mod no_proxy;
mod printable;
mod provider;
mod report;
mod resolved;
mod secrets;
mod services;
mod sidecar;
mod tables;
mod tools;

pub(crate) use environment::Environment;
pub(crate) use no_proxy::NoProxy;
pub(crate) use printable::{deceives, printable};
pub(crate) use report::{ConfigFile, Report};
pub(crate) use resolved::*;

use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) system: Option<String>,
    pub(crate) plugin: Option<PathBuf>,
    pub(crate) effort: Option<String>,
    pub(crate) max_output_tokens: Option<u32>,
    pub(crate) config: Option<PathBuf>,
}

/// Decides every setting, and says which name decided it.
///
/// # Errors
/// A [`Failure`] that names the flag, variable, or file and key that is wrong, with a hint what to do.
pub(crate) fn resolve(flags: &Flags, env: &Environment, working_dir: &Path) -> Result<(Resolved, Report), Failure> {
    let mut report = Report::default();
    let file = location::load(flags.config.as_deref(), env, working_dir, &mut report)?;
    let decided = provider::resolve(flags, &file, env, &mut report)?;
    let resolved = rest(decided, flags, file, (env, working_dir), &mut report)?;
    Ok((resolved, report))
}

/// As [`resolve`], for every provider that is configured, without a model: or why it cannot be used. Only for the one that
/// was asked for, if one was.
///
/// # Errors
/// As [`resolve`], where no provider can be told at all.
pub(crate) fn resolve_all(
    flags: &Flags,
    env: &Environment,
    working_dir: &Path,
) -> Result<Vec<Result<Resolved, Failure>>, Failure> {
    let mut report = Report::default();
    let load = |report: &mut Report| location::load(flags.config.as_deref(), env, working_dir, report);
    let providers = provider::all(flags, &load(&mut report)?, env, &mut report)?;
    let resolved = |provider: Result<From<Provider>, Failure>| {
        let decided = provider::Decided { provider: provider?, model: None, fallback: Vec::new() };
        let mut report = Report::default();
        rest(decided, flags, load(&mut report)?, (env, working_dir), &mut report)
    };
    Ok(providers.into_iter().map(resolved).collect())
}

/// Everything but who answers.
fn rest(
    decided: provider::Decided,
    flags: &Flags,
    file: file::File,
    (env, working_dir): (&Environment, &Path),
    report: &mut Report,
) -> Result<Resolved, Failure> {
    let provider::Decided { provider, model, fallback } = decided;
    let plugin = report.choose("plugin", [path_flag(flags.plugin.as_deref(), working_dir), file.plugin]);
    let system = report.choose("system", [flag(flags.system.as_deref(), "--system"), file.system]);
    let cache = directories::directory(&directories::CACHE, file.cache_dir, env, working_dir, report)?;
    let data = directories::directory(&directories::DATA, file.data_dir, env, working_dir, report)?;
    let network = network::resolve(&file.network, env, &provider.value, working_dir, report)?;
    let effort =
        [flag(flags.effort.as_deref(), "--effort"), env.given("LLMP_REASONING_EFFORT")?, file.reasoning_effort];
    let most = flags.max_output_tokens.map(|value| From { value, from: "--max-output-tokens".to_owned() });
    let (legacy, attach) = (sidecar::legacy(&file.sidecar, env, report)?, sidecar::attach(&file.sidecar, env)?);
    Ok(Resolved {
        provider,
        model,
        fallback,
        system: system.map(|given| given.value),
        plugin: plugin.map(|given| given.value),
        sidecar: sidecar::resolve(file.sidecar, network, env, working_dir, report)?,
        cache_dir: cache,
        data_dir: data,
        activity_timeout: report.choose("activity-timeout", [file.activity_timeout]).map(|given| given.value),
        deadline: report.choose("deadline", [file.deadline]).map(|given| given.value),
        tool_deadline: report.choose("tool-deadline", [file.tool_deadline]).map(|given| given.value),
        reasoning_effort: report.choose("reasoning-effort", effort).map(|given| given.value),
        max_output_tokens: report.choose("max-output-tokens", [most, file.max_output_tokens]).map(|given| given.value),
        tools: tools::resolve(file.tools, file.mcp, env)?,
        legacy,
        attach,
    })
}

fn flag(value: Option<&str>, name: &str) -> Option<From<String>> {
    value.filter(|value| !value.is_empty()).map(|value| From { value: value.to_owned(), from: name.to_owned() })
}

fn path_flag(value: Option<&Path>, working_dir: &Path) -> Option<From<PathBuf>> {
    value.map(|path| From { value: working_dir.join(path), from: "--plugin".to_owned() })
}

#[cfg(test)]
pub(crate) use tests::scratch;

#[cfg(test)]
mod tests;
