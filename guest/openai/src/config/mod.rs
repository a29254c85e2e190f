//! The configuration, as JSON in `setup.config`. Unknown keys are errors.

mod check;

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::ACTIVITY_TIMEOUT;
use llm_provider_core::endpoint::{HeaderValue, SecretName};
use llm_provider_guest::provider::Setup;
use llm_provider_guest::types::Milliseconds;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Which of OpenAI's APIs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// Chat completions: what nearly every compatible service has.
    #[default]
    ChatCompletions,
    /// Responses: what keeps a model's reasoning between the rounds of tools.
    Responses,
}

/// Whose service it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// OpenAI, or any service compatible with it.
    #[default]
    Openai,
    /// Azure OpenAI: other paths, another header for the key.
    Azure,
}

/// The name of the field that limits the tokens of an answer of chat completions.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// The newer name. OpenAI's reasoning models take no other.
    MaxCompletionTokens,
    /// The older name. Every compatible service knows it.
    MaxTokens,
}

/// How the plugin works.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The address before `/chat/completions`, `/responses` and `/models`, such as `https://api.openai.com/v1`. Without a
    /// path, `/v1` is added. For Azure the address of the resource, with or without `/openai/v1`.
    pub base_url: String,
    /// Which API.
    #[serde(default)]
    pub api: Api,
    /// Whose service.
    #[serde(default)]
    pub service: Service,
    /// The key; none for services without one.
    pub api_key: Option<SecretName>,
    /// The header for the key: `authorization` when absent, for Azure `api-key`. In `authorization`, `Bearer ` stands
    /// before it; in any other header, nothing does.
    pub key_header: Option<String>,
    /// Azure's version of the API. Needed with `deployments`; otherwise sent only when it is given.
    pub api_version: Option<String>,
    /// Azure only: the older paths, `{base-url}/openai/deployments/{model}/chat/completions`, instead of
    /// `{base-url}/openai/v1/chat/completions`.
    #[serde(default)]
    pub deployments: bool,
    /// Headers for every request.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderValue>,
    /// Who pays, in `OpenAI-Organization`.
    pub organization: Option<String>,
    /// For what, in `OpenAI-Project`.
    pub project: Option<String>,
    /// The model for turns that name none.
    pub model: Option<String>,
    /// How long a turn may be silent.
    #[serde(default = "activity_timeout")]
    pub activity_timeout_ms: Milliseconds,
    /// Chat completions only: the field for the most tokens of an answer. When absent, `max_completion_tokens` for Azure
    /// and for OpenAI's own host, whose reasoning models refuse the other, and `max_tokens` for everybody else.
    pub max_tokens_field: Option<MaxTokensField>,
    /// Chat completions only: whether to ask for the usage. Some services refuse the question.
    #[serde(default = "yes")]
    pub stream_usage: bool,
    /// Whether the service must enforce a turn's output schema. It then takes a subset of JSON schema and refuses what is
    /// outside of it; otherwise the schema is a request to the model.
    #[serde(default = "yes")]
    pub strict_output_schema: bool,
}

fn activity_timeout() -> Milliseconds {
    ACTIVITY_TIMEOUT
}

fn yes() -> bool {
    true
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

    /// The header for the key, and what stands before it there.
    pub(crate) fn key_header(&self) -> (&str, &'static str) {
        let default = match self.service {
            Service::Openai => "authorization",
            Service::Azure => "api-key",
        };
        let name = self.key_header.as_deref().unwrap_or(default);
        (name, if name.eq_ignore_ascii_case("authorization") { "Bearer " } else { "" })
    }

    /// The field for the most tokens of an answer of chat completions.
    pub(crate) fn max_tokens_field(&self) -> MaxTokensField {
        self.max_tokens_field.unwrap_or_else(|| {
            let official = self.service == Service::Azure || host(&self.base_url) == OFFICIAL_HOST;
            if official { MaxTokensField::MaxCompletionTokens } else { MaxTokensField::MaxTokens }
        })
    }
}

/// The host of OpenAI's own service.
const OFFICIAL_HOST: &str = "api.openai.com";

/// Host and port of an address that was checked.
fn host(url: &str) -> &str {
    url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn named(failure: Failure) -> Failure {
    Failure { message: format!("the OpenAI plugin's configuration: {}", failure.message), ..failure }
}
