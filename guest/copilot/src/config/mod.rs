//! The configuration, as JSON in `setup.config`. Unknown keys are errors.

mod auth;
mod check;

pub use auth::{Auth, Byok, Github, HeaderValue, ProviderType, SecretName, WireApi};
pub use check::ConfigError;

use llm_provider_core::frame::Secrets;
use llm_provider_guest::types::Milliseconds;
use serde::Deserialize;

/// How the CLI is used.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One CLI as a server for all conversations of the instance.
    #[default]
    Server,
    /// A CLI for each turn. It can less: no tools, no system prompt, no headers of one's own.
    OneShot,
}

/// Who sends the CLI's requests to the model.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Egress {
    /// The host, under its policy. The key stays with it. A CLI that cannot hand its requests over is not used.
    Host,
    /// The host, but for a CLI that cannot hand its requests over. What holds when nothing is said.
    #[serde(skip)]
    HostOrDirect,
    /// The CLI. It has the key.
    Direct,
}

/// How the plugin works. All times in milliseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// How the CLI is used.
    #[serde(default)]
    pub mode: Mode,
    /// Who sends the CLI's requests to the model. For an endpoint of one's own in the mode `server`: the host, and the CLI
    /// itself with a notice where it cannot hand them over. Otherwise always the CLI.
    pub egress: Option<Egress>,
    /// The token that a running CLI wants of those who connect to it; for hosts that attach to one.
    pub connection_token: Option<SecretName>,
    /// The model for turns that name none. Needed for BYOK; with GitHub the CLI has a default of its own.
    pub model: Option<String>,
    /// Where answers come from and what opens the door.
    pub auth: Auth,
    /// How long a turn may be silent. The CLI itself waits 600 s for each of six tries at a model that hangs; models
    /// that think in silence stay below a minute. 120 s tells them apart.
    #[serde(default = "activity_timeout")]
    pub activity_timeout_ms: Milliseconds,
    /// From the start of the process to the end of the handshake: 0.5 s as a rule, 3.4 s on the first start ever, which
    /// unpacks 235 MiB. 20 s leaves room for a busy disk.
    #[serde(default = "connect_timeout")]
    pub connect_timeout_ms: Milliseconds,
    /// For any other request to the CLI, all of which it answers in less than 2 s.
    #[serde(default = "request_timeout")]
    pub request_timeout_ms: Milliseconds,
    /// For a ping after a request or a turn ran into its deadline: it is answered in 1 ms, also during turns.
    #[serde(default = "ping_timeout")]
    pub ping_timeout_ms: Milliseconds,
    /// How long the CLI may have nothing to do before it is ended; it takes 200 MiB. It starts again within a second, and
    /// takes its sessions up again from disk.
    #[serde(default = "idle_stop")]
    pub idle_stop_ms: Milliseconds,
    /// For a polite end before the process is told to go: it takes 20 ms.
    #[serde(default = "shutdown_timeout")]
    pub shutdown_timeout_ms: Milliseconds,
}

fn activity_timeout() -> Milliseconds {
    120_000
}

fn connect_timeout() -> Milliseconds {
    20_000
}

fn request_timeout() -> Milliseconds {
    30_000
}

fn ping_timeout() -> Milliseconds {
    10_000
}

fn idle_stop() -> Milliseconds {
    900_000
}

fn shutdown_timeout() -> Milliseconds {
    2_000
}

impl Config {
    /// Whether the host is to send the CLI's requests, and how firmly; `None` when the CLI does.
    pub(crate) fn egress(&self) -> Option<Egress> {
        let can = matches!(self.auth, Auth::Byok(_)) && self.mode == Mode::Server;
        let wanted = self.egress.unwrap_or(Egress::HostOrDirect);
        Some(wanted).filter(|wanted| can && *wanted != Egress::Direct)
    }

    /// Parses and checks a configuration against the secrets that are granted.
    ///
    /// # Errors
    /// When it is not valid JSON of this shape, or cannot work. The message is one line and names the key.
    pub fn parse(json: &str, secrets: &Secrets) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(json).map_err(|error| ConfigError(error.to_string()))?;
        check::config(&config, secrets)?;
        Ok(config)
    }
}
