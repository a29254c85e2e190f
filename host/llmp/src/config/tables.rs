//! `[providers.NAME]`: an endpoint as somebody described it.

use super::document::Section;
use super::file::secret_place;
use super::secrets::{SecretPlace, looks_like_github_token};
use super::{Egress, EndpointKind, From, Through, WireApi};
use crate::failure::Failure;
use std::collections::BTreeMap;

/// The dialects by the names of `type`.
pub(super) const KINDS: [(&str, EndpointKind); 4] = [
    ("openai", EndpointKind::OpenAi),
    ("azure", EndpointKind::Azure),
    ("anthropic", EndpointKind::Anthropic),
    ("gemini", EndpointKind::Gemini),
];

/// OpenAI's interfaces by the names of `wire-api`.
pub(super) const WIRES: [(&str, WireApi); 2] =
    [("completions", WireApi::Completions), ("responses", WireApi::Responses)];

/// The ways to an endpoint by the names of `through`.
const WAYS: [(&str, Through); 2] = [("http", Through::Http), ("copilot", Through::Copilot)];

/// Who sends the requests, by the names of `egress`.
const EGRESS: [(&str, Egress); 2] = [("host", Egress::Host), ("direct", Egress::Direct)];

/// Headers that carry nothing but secrets.
const SECRET_HEADERS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "cookie",
    "ocp-apim-subscription-key",
];

/// An endpoint before it is checked. Variables can describe one, too.
#[derive(Clone, Debug, Default)]
pub(super) struct EndpointTable {
    pub(super) kind: Option<From<EndpointKind>>,
    pub(super) base_url: Option<From<String>>,
    pub(super) wire_api: Option<From<WireApi>>,
    pub(super) api_version: Option<From<String>>,
    pub(super) key: Option<From<SecretPlace>>,
    /// A token that goes out as a bearer's.
    pub(super) token: Option<From<SecretPlace>>,
    pub(super) through: Option<From<Through>>,
    pub(super) model: Option<From<String>>,
    pub(super) headers: BTreeMap<String, From<String>>,
    pub(super) secret_headers: BTreeMap<String, From<SecretPlace>>,
    pub(super) max_prompt_tokens: Option<From<u32>>,
    pub(super) max_output_tokens: Option<From<u32>>,
    pub(super) egress: Option<From<Egress>>,
}

impl EndpointTable {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Failure> {
        let table = Self {
            kind: section.one_of("type", &KINDS)?,
            base_url: section.text("base-url")?,
            wire_api: section.one_of("wire-api", &WIRES)?,
            api_version: section.text("api-version")?,
            key: secret_place(&mut section, "key-env", "key-file")?,
            token: secret_place(&mut section, "token-env", "token-file")?,
            through: section.one_of("through", &WAYS)?,
            model: section.text("model")?,
            headers: section.texts("headers")?,
            secret_headers: secret_headers(&mut section)?,
            max_prompt_tokens: section.count("max-prompt-tokens")?,
            max_output_tokens: section.count("max-output-tokens")?,
            egress: section.one_of("egress", &EGRESS)?,
        };
        section.finish()?;
        table.headers.iter().try_for_each(|(name, value)| public_header(name, value))?;
        if let Some((name, both)) = table.headers.iter().find(|(name, _)| table.secret_headers.contains_key(*name)) {
            let message = format!("{}: the header {} is also in secret-headers", both.from, super::printable(name));
            return Err(Failure::usage(message, "name it once"));
        }
        Ok(table)
    }
}

fn public_header(name: &str, value: &From<String>) -> Result<(), Failure> {
    if SECRET_HEADERS.contains(&name.to_lowercase().as_str()) || looks_like_github_token(&value.value) {
        return Err(Failure::usage(
            format!("{} would be a secret, and secrets do not stand in this file", value.from),
            "move it to `secret-headers` and write \"env:NAME\" or \"file:PATH\"",
        ));
    }
    header_name(name, &value.from)?;
    if value.value.contains(|c: char| c.is_control()) {
        let message = format!("{} has a control character in its value", value.from);
        return Err(Failure::usage(message, "write it on one line"));
    }
    Ok(())
}

/// As the plugin checks it, so that the error names the key here.
fn header_name(name: &str, from: &str) -> Result<(), Failure> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Ok(());
    }
    Err(Failure::usage(format!("{from} is no name of a header"), "use letters, digits and `-`"))
}

fn secret_headers(section: &mut Section<'_>) -> Result<BTreeMap<String, From<SecretPlace>>, Failure> {
    let texts = section.texts("secret-headers")?;
    let place = |(name, text): (String, From<String>)| {
        header_name(&name, &text.from)?;
        let value = match (text.value.strip_prefix("env:"), text.value.strip_prefix("file:")) {
            (Some(variable), _) if !variable.is_empty() => SecretPlace::Variable(variable.to_owned()),
            (_, Some(path)) if !path.is_empty() => SecretPlace::File(section.resolve(path)),
            // The value is not shown: it may be the secret itself.
            _ => {
                let message = format!("{} does not say where the secret is", text.from);
                return Err(Failure::usage(message, "write \"env:NAME\" or \"file:PATH\""));
            }
        };
        Ok((name, From { value, from: text.from }))
    };
    texts.into_iter().map(place).collect()
}
