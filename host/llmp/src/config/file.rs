//! What `llmp.toml` may say. Each `read` asks for the keys of its table, and so makes them the known ones.

use super::From;
use super::document::{Document, Section};
use super::secrets::SecretPlace;
use super::tables::EndpointTable;
use super::tools::{McpTable, ToolsTable};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) provider: Option<From<String>>,
    pub(super) model: Option<From<String>>,
    pub(super) fallback: Option<From<Vec<String>>>,
    pub(super) system: Option<From<String>>,
    pub(super) plugin: Option<From<PathBuf>>,
    pub(super) cache_dir: Option<From<PathBuf>>,
    pub(super) data_dir: Option<From<PathBuf>>,
    pub(super) activity_timeout: Option<From<Duration>>,
    pub(super) deadline: Option<From<Duration>>,
    /// `[github]`: where the token is.
    pub(super) github_token: Option<From<SecretPlace>>,
    /// `[providers.NAME]`.
    pub(super) providers: BTreeMap<String, EndpointTable>,
    pub(super) tool_deadline: Option<From<Duration>>,
    pub(super) reasoning_effort: Option<From<String>>,
    pub(super) max_output_tokens: Option<From<u32>>,
    pub(super) tools: ToolsTable,
    /// `[mcp.NAME]`.
    pub(super) mcp: BTreeMap<String, McpTable>,
    pub(super) sidecar: SidecarTable,
    pub(super) network: NetworkTable,
}

/// `[sidecar]`.
#[derive(Debug, Default)]
pub(super) struct SidecarTable {
    pub(super) path: Option<From<PathBuf>>,
    pub(super) version: Option<From<String>>,
    pub(super) url: Option<From<String>>,
    pub(super) integrity: Option<From<String>>,
    pub(super) offline: Option<From<bool>>,
    pub(super) env: BTreeMap<String, From<String>>,
    /// One process for each turn.
    pub(super) legacy: Option<From<bool>>,
    pub(super) attach: Option<From<String>>,
    pub(super) attach_token: Option<From<SecretPlace>>,
    pub(super) attach_dir: Option<From<PathBuf>>,
}

/// `[network]`.
#[derive(Debug, Default)]
pub(super) struct NetworkTable {
    pub(super) proxy: Option<From<String>>,
    pub(super) no_proxy: Option<From<String>>,
    pub(super) ca_bundle: Option<From<PathBuf>>,
    pub(super) github_host: Option<From<String>>,
    pub(super) api_url: Option<From<String>>,
}

/// Names of `--provider` that mean something else than a table.
pub(super) const RESERVED: [&str; 4] = ["github", "copilot", "demo", "environment"];

impl File {
    pub(super) fn read(document: &Document) -> Result<Self, Failure> {
        document.read(|mut top| {
            let file = Self {
                provider: top.text("provider")?,
                model: top.text("model")?,
                fallback: top.list("fallback")?,
                system: top.text("system")?,
                plugin: top.path("plugin")?,
                cache_dir: top.path("cache-dir")?,
                data_dir: top.path("data-dir")?,
                activity_timeout: top.duration("activity-timeout")?,
                deadline: top.duration("deadline")?,
                github_token: top.section("github")?.map(github).transpose()?.flatten(),
                providers: providers(&mut top)?,
                tool_deadline: top.duration("tool-deadline")?,
                reasoning_effort: top.text("reasoning-effort")?,
                max_output_tokens: top.count("max-output-tokens")?,
                tools: top.section("tools")?.map(ToolsTable::read).transpose()?.unwrap_or_default(),
                mcp: mcp(&mut top)?,
                sidecar: top.section("sidecar")?.map(SidecarTable::read).transpose()?.unwrap_or_default(),
                network: top.section("network")?.map(NetworkTable::read).transpose()?.unwrap_or_default(),
            };
            top.finish()?;
            file.check_token_is_no_key()?;
            Ok(file)
        })
    }

    /// One place cannot hold both a GitHub token and an endpoint's key: one of them would go where it must not.
    fn check_token_is_no_key(&self) -> Result<(), Failure> {
        let Some(token) = &self.github_token else { return Ok(()) };
        let keys = self
            .providers
            .values()
            .flat_map(|table| table.key.iter().chain(&table.token).chain(table.secret_headers.values()));
        match keys.into_iter().find(|key| key.value == token.value) {
            Some(key) => Err(Failure::usage(
                format!("{} and {} name the same secret: {}", token.from, key.from, token.value.name()),
                "give the endpoint a key of its own",
            )),
            None => Ok(()),
        }
    }
}

fn github(mut section: Section<'_>) -> Result<Option<From<SecretPlace>>, Failure> {
    let place = secret_place(&mut section, "token-env", "token-file")?;
    section.finish()?;
    Ok(place)
}

/// A secret by the name of its variable or file; both are one too many.
pub(super) fn secret_place(
    section: &mut Section<'_>,
    variable: &'static str,
    file: &'static str,
) -> Result<Option<From<SecretPlace>>, Failure> {
    let in_variable = section.text(variable)?;
    let in_file = section.path(file)?;
    match (in_variable, in_file) {
        (Some(_), Some(_)) => {
            Err(section.wrong_value(file, &format!("stands beside `{variable}`"), "name one place of the secret"))
        }
        (Some(name), None) => Ok(Some(From { value: SecretPlace::Variable(name.value), from: name.from })),
        (None, Some(path)) => Ok(Some(From { value: SecretPlace::File(path.value), from: path.from })),
        (None, None) => Ok(None),
    }
}

fn providers(top: &mut Section<'_>) -> Result<BTreeMap<String, EndpointTable>, Failure> {
    let mut tables = BTreeMap::new();
    for (name, section) in top.sections("providers")? {
        if RESERVED.contains(&name.as_str()) || name.is_empty() {
            return Err(section.wrong_name("is a name with a meaning of its own", "give the table another name"));
        }
        tables.insert(name, EndpointTable::read(section)?);
    }
    Ok(tables)
}

fn mcp(top: &mut Section<'_>) -> Result<BTreeMap<String, McpTable>, Failure> {
    let read = |(name, section)| Ok((name, McpTable::read(section)?));
    top.sections("mcp")?.into_iter().map(read).collect()
}

impl SidecarTable {
    fn read(mut section: Section<'_>) -> Result<Self, Failure> {
        let table = Self {
            path: section.path("path")?,
            version: section.text("version")?,
            url: section.text("url")?,
            integrity: section.text("integrity")?,
            offline: section.boolean("offline")?,
            env: section.texts("env")?,
            legacy: section.boolean("legacy")?,
            attach: section.text("attach")?,
            attach_token: secret_place(&mut section, "attach-token-env", "attach-token-file")?,
            attach_dir: section.path("attach-dir")?,
        };
        section.finish()?;
        Ok(table)
    }
}

impl NetworkTable {
    fn read(mut section: Section<'_>) -> Result<Self, Failure> {
        let table = Self {
            proxy: section.text("proxy")?,
            no_proxy: section.text("no-proxy")?,
            ca_bundle: section.path("ca-bundle")?,
            github_host: section.text("github-host")?,
            api_url: section.text("api-url")?,
        };
        section.finish()?;
        Ok(table)
    }
}
