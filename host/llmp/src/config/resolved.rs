//! What the program is going to use, after files, variables and flags were read: values, and where each came from. What
//! holds a secret has no `Debug`.

use llm_provider_host::{Network, PermissionKind, Secret};
use std::collections::BTreeMap;
use std::net::SocketAddr;
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
    Gemini,
}

/// The way to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    /// A plugin that speaks its dialect over HTTP.
    Http,
    /// The Copilot CLI, which is told of the endpoint.
    Copilot,
}

/// Which of OpenAI's two interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireApi {
    Completions,
    Responses,
}

/// Who sends the requests to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Egress {
    /// The host: the key never enters the Copilot CLI.
    Host,
    /// The Copilot CLI itself.
    Direct,
}

/// A header's value: public, or a secret.
#[derive(Clone)]
pub(crate) enum HeaderValue {
    Plain(String),
    Secret(Secret),
}

/// An endpoint of one's own, or a service that is known by name.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// The name of its table in `llmp.toml`, of a known service, or `environment`.
    pub(crate) name: String,
    pub(crate) kind: From<EndpointKind>,
    pub(crate) base_url: From<String>,
    pub(crate) wire_api: Option<WireApi>,
    pub(crate) api_version: Option<String>,
    pub(crate) headers: BTreeMap<String, HeaderValue>,
    pub(crate) api_key: Option<From<Secret>>,
    /// Goes out as a bearer's.
    pub(crate) token: Option<From<Secret>>,
    pub(crate) through: Through,
    pub(crate) max_prompt_tokens: Option<u32>,
    pub(crate) max_output_tokens: Option<u32>,
    /// Who sends the requests; the host where that can be, when absent.
    pub(crate) egress: Option<Egress>,
}

/// Who answers.
#[derive(Clone)]
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

/// What the model may use.
#[derive(Clone, Default)]
pub(crate) struct Tools {
    /// The Copilot CLI's own tools that are on.
    pub(crate) own: Vec<String>,
    pub(crate) permissions: Permissions,
    pub(crate) servers: Vec<McpServer>,
}

/// Who decides what the model may do with the Copilot CLI's own tools.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Permissions {
    /// Nobody: everything is denied.
    #[default]
    Deny,
    /// The person, in a chat.
    Ask,
    /// These kinds are allowed, the rest is denied.
    Allow(Vec<PermissionKind>),
}

/// A server whose tools the model is offered.
#[derive(Clone)]
pub(crate) struct McpServer {
    pub(crate) name: String,
    pub(crate) place: McpPlace,
}

/// Where it is.
#[derive(Clone)]
pub(crate) enum McpPlace {
    /// A program that speaks over its standard input and output.
    Command { program: String, args: Vec<String>, env: Vec<(String, String)>, secret_env: Vec<(String, Secret)> },
    /// An address.
    Url { url: String, secret_headers: Vec<(String, Secret)> },
}

/// Everything.
#[derive(Clone)]
pub(crate) struct Resolved {
    pub(crate) provider: From<Provider>,
    pub(crate) model: Option<From<String>>,
    pub(crate) system: Option<String>,
    /// Who is asked next, in order, when a model cannot answer and another may.
    pub(crate) fallback: Vec<Candidate>,
    /// A plugin's file instead of the embedded one.
    pub(crate) plugin: Option<PathBuf>,
    pub(crate) sidecar: SidecarSource,
    /// Compiled plugins and downloaded programs.
    pub(crate) cache_dir: From<PathBuf>,
    /// Homes of sidecars, and the chat's line history.
    pub(crate) data_dir: From<PathBuf>,
    pub(crate) activity_timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) tool_deadline: Option<Duration>,
    pub(crate) reasoning_effort: Option<String>,
    pub(crate) max_output_tokens: Option<u32>,
    pub(crate) tools: Tools,
    /// One CLI process for each turn, as old set-ups want it.
    pub(crate) legacy: bool,
    /// A CLI that runs already, and the name of its connection token.
    pub(crate) attach: Option<Attach>,
}

/// A model of a provider.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) provider: From<Provider>,
    pub(crate) model: From<String>,
}

impl Resolved {
    /// The same for another provider and model.
    pub(crate) fn with(&self, provider: From<Provider>, model: Option<From<String>>) -> Self {
        Self { provider, model, ..self.clone() }
    }

    /// Whether the answer comes through the Copilot CLI.
    pub(crate) fn through_copilot(&self) -> bool {
        match &self.provider.value {
            Provider::Github { .. } | Provider::Demo => true,
            Provider::Endpoint(endpoint) => endpoint.through == Through::Copilot,
        }
    }
}

/// A Copilot CLI that runs already as a server.
#[derive(Clone)]
pub(crate) struct Attach {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<Secret>,
    /// A directory that exists where it runs.
    pub(crate) working_dir: PathBuf,
}
