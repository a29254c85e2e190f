//! Where answers come from: GitHub, or an endpoint with a key of its own. Never both.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The provider behind the CLI.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Auth {
    /// GitHub Copilot.
    Github(Github),
    /// An endpoint of one's own ("bring your own key").
    Byok(Byok),
}

/// GitHub Copilot with a token.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Github {
    /// The name of the secret. It goes into the sidecar's environment and nowhere else.
    pub token: String,
}

/// An endpoint of one's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Byok {
    /// Whose protocol the endpoint speaks.
    pub provider: ProviderType,
    /// Its address: for `openai` up to and with `/v1`, for `anthropic` and `azure` the host's root.
    pub base_url: String,
    /// Which of OpenAI's protocols; `completions` when absent. Not for Anthropic.
    pub wire_api: Option<WireApi>,
    /// Azure's version of the API. Only for Azure.
    pub api_version: Option<String>,
    /// Headers for every request to the endpoint.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderValue>,
    /// The key; none for endpoints without one.
    pub api_key: Option<SecretName>,
    /// The most tokens of a prompt.
    pub max_prompt_tokens: Option<u32>,
    /// The most tokens of an answer, for turns that do not say.
    pub max_output_tokens: Option<u32>,
}

/// Whose protocol an endpoint speaks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderType {
    /// OpenAI and everything compatible.
    Openai,
    /// Azure OpenAI.
    Azure,
    /// Anthropic.
    Anthropic,
}

impl ProviderType {
    /// As the CLI names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
        }
    }
}

/// OpenAI's protocols.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum WireApi {
    /// Chat completions.
    Completions,
    /// Responses.
    Responses,
}

impl WireApi {
    /// As the CLI names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completions => "completions",
            Self::Responses => "responses",
        }
    }
}

/// A secret by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretName {
    /// The name.
    pub secret: String,
}

/// A header's value: plain text, or a secret as a whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    /// Plain text.
    Text(String),
    /// A secret.
    Secret(SecretName),
}
