//! What the program is going to use, after files, variables and flags were read: values, and where each came from.

use llm_provider_host::{Network, Secret};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A value with the place it was given at, such as `GITHUB_TOKEN` or `llmp.toml: model`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct From<T> {
    pub(crate) value: T,
    pub(crate) from: String,
}

/// Which dialect an endpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointKind {
    OpenAi,
    Azure,
    Anthropic,
}

/// Which of OpenAI's two interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireApi {
    Completions,
    Responses,
}

/// A header's value: public, or a secret.
#[derive(Clone, Debug)]
pub(crate) enum HeaderValue {
    Plain(String),
    Secret(Secret),
}

/// An endpoint of one's own (BYOK).
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The name of its table in `llmp.toml`, or `environment`.
    pub(crate) name: String,
    pub(crate) kind: From<EndpointKind>,
    pub(crate) base_url: From<String>,
    pub(crate) wire_api: Option<WireApi>,
    pub(crate) api_version: Option<String>,
    pub(crate) headers: BTreeMap<String, HeaderValue>,
    pub(crate) api_key: Option<From<Secret>>,
    pub(crate) max_prompt_tokens: Option<u32>,
    pub(crate) max_output_tokens: Option<u32>,
}

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    /// GitHub's own service.
    Github { token: From<Secret> },
    /// An endpoint of one's own.
    Endpoint(Box<Endpoint>),
    /// The model server inside this program.
    Demo,
}

impl Provider {
    /// As `--provider` names it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Github { .. } => "github",
            Self::Endpoint(endpoint) => &endpoint.name,
            Self::Demo => "demo",
        }
    }
}

/// Where the Copilot CLI comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct SidecarSource {
    pub(crate) path: Option<From<PathBuf>>,
    /// From `COPILOT_CLI_PATH`.
    pub(crate) environment_path: Option<From<PathBuf>>,
    pub(crate) version: Option<From<String>>,
    pub(crate) url: Option<From<String>>,
    pub(crate) integrity: Option<String>,
    pub(crate) offline: bool,
    pub(crate) network: Network,
    pub(crate) variables: Vec<(String, String)>,
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) provider: From<Provider>,
    pub(crate) model: Option<From<String>>,
    pub(crate) system: Option<String>,
    /// A plugin's file instead of the embedded one.
    pub(crate) plugin: Option<PathBuf>,
    pub(crate) sidecar: SidecarSource,
    /// Compiled plugins and downloaded programs.
    pub(crate) cache_dir: From<PathBuf>,
    /// Homes of sidecars, and the chat's line history.
    pub(crate) data_dir: From<PathBuf>,
    pub(crate) activity_timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
}
