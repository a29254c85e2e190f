//! `[tools]` and `[mcp.NAME]`: what the model may use.

use super::document::Section;
use super::nearest::suggestion;
use super::secrets::{SecretPlace, any_secret, looks_like_github_token};
use super::{Environment, From, McpPlace, McpServer, Permissions, Tools, printable};
use crate::failure::Failure;
use llm_provider_host::PermissionKind;
use std::collections::BTreeMap;

/// `[tools]`.
#[derive(Debug, Default)]
pub(super) struct ToolsTable {
    /// The Copilot CLI's own tools that are on.
    own: Vec<String>,
    permissions: Permissions,
}

/// `[mcp.NAME]`, before its secrets are read.
#[derive(Debug)]
pub(super) struct McpTable {
    command: Option<From<String>>,
    args: Vec<String>,
    env: BTreeMap<String, From<String>>,
    secret_env: BTreeMap<String, From<String>>,
    url: Option<From<String>>,
    secret_headers: BTreeMap<String, From<String>>,
}

/// Kinds of acts by their names.
const KINDS: [(&str, PermissionKind); 5] = [
    ("command", PermissionKind::Command),
    ("read", PermissionKind::Read),
    ("write", PermissionKind::Write),
    ("fetch", PermissionKind::Fetch),
    ("server-tool", PermissionKind::ServerTool),
];

impl ToolsTable {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Failure> {
        let own = section.list("copilot")?.map(|list| list.value).unwrap_or_default();
        let words = section.list("permissions")?;
        let permissions = words.as_ref().map(|words| permissions(&words.value, &section)).transpose()?;
        section.finish()?;
        Ok(Self { own, permissions: permissions.unwrap_or_default() })
    }
}

/// `["ask"]`, or the kinds that are allowed; nothing for none.
fn permissions(words: &[String], section: &Section<'_>) -> Result<Permissions, Failure> {
    if words == ["ask"] {
        return Ok(Permissions::Ask);
    }
    let kind = |word: &String| {
        let known = KINDS.iter().find(|(name, _)| name == word).map(|(_, kind)| kind.clone());
        known.ok_or_else(|| {
            let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).chain(["ask"]).collect();
            let problem = format!("has the unknown word `{}`", printable(word));
            section.wrong_value("permissions", &problem, suggestion(word, &names))
        })
    };
    words.iter().map(kind).collect::<Result<_, _>>().map(Permissions::Allow)
}

impl McpTable {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Failure> {
        let table = Self {
            command: section.text("command")?,
            args: section.list("args")?.map(|list| list.value).unwrap_or_default(),
            env: section.texts("env")?,
            secret_env: section.texts("secret-env")?,
            url: section.text("url")?,
            secret_headers: section.texts("secret-headers")?,
        };
        let one = match (&table.command, &table.url) {
            (Some(_), None) => table.secret_headers.is_empty(),
            (None, Some(_)) => table.args.is_empty() && table.env.is_empty() && table.secret_env.is_empty(),
            _ => false,
        };
        if !one {
            let problem = "must be either a `command` (with args, env, secret-env) or a `url` (with secret-headers)";
            return Err(section.wrong_name(problem, "leave out what belongs to the other"));
        }
        section.finish()?;
        Ok(table)
    }

    fn resolve(self, name: String, env: &Environment) -> Result<McpServer, Failure> {
        let secrets = |named: BTreeMap<String, From<String>>| {
            let secret = |(name, variable): (String, From<String>)| {
                let place = From { value: SecretPlace::Variable(variable.value), from: variable.from };
                Ok((name, any_secret(&place, env)?.value))
            };
            named.into_iter().map(secret).collect::<Result<Vec<_>, Failure>>()
        };
        if let Some(secret) = self.env.values().find(|text| looks_like_github_token(&text.value)) {
            let message = format!("{} would be a secret, and secrets do not stand in this file", secret.from);
            return Err(Failure::usage(message, "name the variable that holds it in `secret-env`"));
        }
        let env_plain = self.env.into_iter().map(|(name, text)| (name, text.value)).collect();
        let place = match (self.command, self.url) {
            (Some(command), _) => McpPlace::Command {
                program: command.value,
                args: self.args,
                env: env_plain,
                secret_env: secrets(self.secret_env)?,
            },
            (None, url) => McpPlace::Url {
                url: url.map(|url| url.value).unwrap_or_default(),
                secret_headers: secrets(self.secret_headers)?,
            },
        };
        Ok(McpServer { name, place })
    }
}

/// Both, with the secrets of servers read.
pub(super) fn resolve(
    tools: ToolsTable,
    servers: BTreeMap<String, McpTable>,
    env: &Environment,
) -> Result<Tools, Failure> {
    let servers = servers.into_iter().map(|(name, table)| table.resolve(name, env)).collect::<Result<_, _>>()?;
    Ok(Tools { own: tools.own, permissions: tools.permissions, servers })
}
