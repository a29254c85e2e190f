//! What a configuration of the right shape may still get wrong.

use super::{Auth, Byok, Config, Egress, HeaderValue, Mode, ProviderType};
use llm_provider_core::frame::Secrets;

/// Why a configuration cannot work, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(super) String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the Copilot plugin's configuration: {}", self.0)
    }
}

impl std::error::Error for ConfigError {}

pub(super) fn config(config: &Config, secrets: &Secrets) -> Result<(), ConfigError> {
    let times = [
        ("activity-timeout-ms", config.activity_timeout_ms),
        ("connect-timeout-ms", config.connect_timeout_ms),
        ("request-timeout-ms", config.request_timeout_ms),
        ("ping-timeout-ms", config.ping_timeout_ms),
        ("shutdown-timeout-ms", config.shutdown_timeout_ms),
        ("idle-stop-ms", config.idle_stop_ms),
    ];
    for (key, value) in times {
        ensure(value > 0, || format!("`{key}` must be more than 0"))?;
    }
    if let Some(token) = &config.connection_token {
        ensure(config.mode == Mode::Server, || {
            "`connection-token` has a meaning for the mode `server` only".to_owned()
        })?;
        granted("connection-token", &token.secret, secrets)?;
    }
    if config.egress == Some(Egress::Host) {
        ensure(matches!(config.auth, Auth::Byok(_)), || {
            "`egress` cannot be `host` with GitHub: the CLI sends what it asks of GitHub itself".to_owned()
        })?;
        ensure(config.mode == Mode::Server, || "`egress` can be `host` in the mode `server` only".to_owned())?;
    }
    match &config.auth {
        Auth::Github(github) => granted("auth.token", &github.token, secrets),
        Auth::Byok(byok) => check_byok(byok, config, secrets),
    }
}

fn check_byok(byok: &Byok, config: &Config, secrets: &Secrets) -> Result<(), ConfigError> {
    let url = byok.base_url.as_str();
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    ensure(host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')), || {
        format!("`auth.base-url` must be an http or https address, not `{}`", url.escape_debug())
    })?;
    ensure(byok.wire_api.is_none() || byok.provider != ProviderType::Anthropic, || {
        "`auth.wire-api` has no meaning for anthropic".to_owned()
    })?;
    ensure(byok.api_version.is_none() || byok.provider == ProviderType::Azure, || {
        "`auth.api-version` has a meaning for azure only".to_owned()
    })?;
    ensure(config.model.as_deref() != Some(""), || "`model` must not be empty".to_owned())?;
    // They would go through one variable, in which a secret cannot stand beside anything else.
    ensure(config.mode == Mode::Server || byok.headers.is_empty(), || {
        "`auth.headers` cannot be had in the mode `one-shot`".to_owned()
    })?;
    if let Some(key) = &byok.api_key {
        granted("auth.api-key", &key.secret, secrets)?;
    }
    byok.headers.iter().try_for_each(|(name, value)| header(name, value, secrets))
}

fn header(name: &str, value: &HeaderValue, secrets: &Secrets) -> Result<(), ConfigError> {
    let token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    ensure(token, || format!("`auth.headers` has a name that is no header's: `{}`", name.escape_debug()))?;
    match value {
        HeaderValue::Text(text) => ensure(!text.contains(|c: char| c.is_control()), || {
            format!("`auth.headers.{name}` has a control character in its value")
        }),
        HeaderValue::Secret(secret) => granted(&format!("auth.headers.{name}"), &secret.secret, secrets),
    }
}

fn granted(key: &str, secret: &str, secrets: &Secrets) -> Result<(), ConfigError> {
    ensure(secrets.contains(secret), || {
        format!("`{key}` names the secret `{}`, which is not granted to this plugin", secret.escape_debug())
    })
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError(message())) }
}
