//! The configuration, as JSON in `setup.config`. Unknown keys are errors.

mod check;

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::ACTIVITY_TIMEOUT;
use llm_provider_core::endpoint::{HeaderValue, SecretName};
use llm_provider_guest::provider::Setup;
use llm_provider_guest::types::Milliseconds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the plugin works.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The address before `/models`, such as `https://generativelanguage.googleapis.com/v1beta`. Without a path,
    /// `/v1beta` is added.
    pub base_url: String,
    /// The key, sent as `x-goog-api-key`.
    pub api_key: Option<SecretName>,
    /// A token, sent as `authorization: Bearer`; instead of the key.
    pub auth_token: Option<SecretName>,
    /// More headers for every request.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderValue>,
    /// The model for turns that name none.
    pub model: Option<String>,
    /// How models are told how hard to think; by their names when absent.
    pub thinking: Option<ThinkingMode>,
    /// What the service blocks; its own defaults for categories that are not named.
    #[serde(default)]
    pub safety_settings: Vec<SafetySetting>,
    /// How long a turn may be silent.
    #[serde(default = "activity_timeout")]
    pub activity_timeout_ms: Milliseconds,
}

/// How a model is told how hard to think. The API refuses a request with both.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ThinkingMode {
    /// With the name of a level: Gemini 3 and later.
    Level,
    /// With a number of tokens: Gemini 2.5.
    Budget,
}

/// From which probability on content of a category is blocked. The words are the API's own.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SafetySetting {
    /// Such as `HARM_CATEGORY_DANGEROUS_CONTENT`.
    pub category: String,
    /// Such as `BLOCK_ONLY_HIGH`.
    pub threshold: String,
}

fn activity_timeout() -> Milliseconds {
    ACTIVITY_TIMEOUT
}

impl Config {
    /// Parses and checks a configuration against the secrets that are granted.
    ///
    /// # Errors
    /// When it is not valid JSON of this shape, or cannot work. The message is one line and names the key.
    pub fn parse(setup: &Setup) -> Result<Self, Failure> {
        let config: Self = serde_json::from_str(&setup.config)
            .map_err(|error| named(Failure::of(Fault::Invalid, error.to_string())))?;
        check::config(&config, &setup.secrets).map_err(named)?;
        Ok(config)
    }

    /// The address up to and with the version.
    pub(crate) fn root(&self) -> String {
        let base = self.base_url.trim_end_matches('/');
        let has_path = base.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
        if has_path { base.to_owned() } else { format!("{base}/v1beta") }
    }
}

fn named(failure: Failure) -> Failure {
    Failure { message: format!("the Gemini plugin's configuration: {}", failure.message), ..failure }
}
