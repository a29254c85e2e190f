//! The configuration, as JSON in `setup.config`. Unknown keys are errors.

mod check;

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::ACTIVITY_TIMEOUT;
use llm_provider_core::endpoint::{HeaderValue, SecretName};
use llm_provider_guest::secrets::SecretInfo;
use llm_provider_guest::types::Milliseconds;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How the plugin works.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The service's address, with or without `/v1` at its end.
    pub base_url: String,
    /// The key, sent as `x-api-key`.
    pub api_key: Option<SecretName>,
    /// A token, sent as `authorization: Bearer`; instead of the key.
    pub auth_token: Option<SecretName>,
    /// The version of the API, sent as `anthropic-version`.
    #[serde(default = "version")]
    pub version: String,
    /// Features that are not in the version yet, sent as `anthropic-beta`.
    #[serde(default)]
    pub beta: Vec<String>,
    /// More headers for every request.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderValue>,
    /// The model for turns that name none.
    pub model: Option<String>,
    /// The most tokens of the answer for turns that do not say, as the API wants to be told. All models since 2024 can
    /// write 8,192; more would be reserved of the limit of output tokens per minute at the beginning of each request,
    /// which is 8,000 for the smallest accounts.
    #[serde(default = "max_output_tokens")]
    pub max_output_tokens: u32,
    /// Whether the beginning of the conversation is kept for the next call.
    #[serde(default)]
    pub prompt_cache: PromptCache,
    /// How models are told how hard to think.
    #[serde(default)]
    pub thinking: ThinkingMode,
    /// How long a turn may be silent. The service sends a `ping` every few seconds.
    #[serde(default = "activity_timeout")]
    pub activity_timeout_ms: Milliseconds,
}

/// Whether the service keeps the beginning of the conversation for the next call.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum PromptCache {
    /// It does not.
    Off,
    /// For five minutes after the last use. Writing costs a quarter more, reading a tenth: it pays from the second call
    /// on, and each round of tools is a call.
    #[default]
    Ephemeral,
}

/// How models are told how hard to think. Those up to Claude 4.5 know only budgets, those from Opus 4.7 on only levels;
/// nothing in a model's name says which, so the configuration does.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ThinkingMode {
    /// With a number of tokens.
    #[default]
    Budget,
    /// With the name of a level; the model decides when it thinks.
    Adaptive,
}

fn version() -> String {
    "2023-06-01".to_owned()
}

fn max_output_tokens() -> u32 {
    8_192
}

fn activity_timeout() -> Milliseconds {
    ACTIVITY_TIMEOUT
}

impl Config {
    /// Parses and checks a configuration against the secrets that are granted.
    ///
    /// # Errors
    /// When it is not valid JSON of this shape, or cannot work. The message is one line and names the key.
    pub fn parse(json: &str, secrets: &[SecretInfo]) -> Result<Self, Failure> {
        let config: Self =
            serde_json::from_str(json).map_err(|error| named(Failure::of(Fault::Invalid, error.to_string())))?;
        check::config(&config, secrets).map_err(named)?;
        Ok(config)
    }

    /// The address up to and with `/v1`.
    pub(crate) fn root(&self) -> String {
        let base = self.base_url.trim_end_matches('/');
        if base.ends_with("/v1") { base.to_owned() } else { format!("{base}/v1") }
    }
}

fn named(failure: Failure) -> Failure {
    Failure { message: format!("the Anthropic plugin's configuration: {}", failure.message), ..failure }
}
