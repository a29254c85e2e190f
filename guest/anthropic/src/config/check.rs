//! What a configuration of the right shape may still get wrong.

use super::{Config, HeaderValue};
use llm_provider_guest::secrets::SecretInfo;

/// Why a configuration cannot work, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(super) String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the Anthropic plugin's configuration: {}", self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Headers with a key of their own, or that only this plugin can know.
const OWN_HEADERS: [(&str, &str); 4] = [
    ("accept", "is set by the plugin"),
    ("content-type", "is set by the plugin"),
    ("anthropic-version", "has a key of its own: `version`"),
    ("anthropic-beta", "has a key of its own: `beta`"),
];

pub(super) fn config(config: &Config, secrets: &[SecretInfo]) -> Result<(), ConfigError> {
    base_url(&config.base_url)?;
    ensure(config.api_key.is_none() || config.auth_token.is_none(), || {
        "`api-key` and `auth-token` exclude each other".to_owned()
    })?;
    for (key, secret) in [("api-key", &config.api_key), ("auth-token", &config.auth_token)] {
        secret.iter().try_for_each(|secret| granted(key, &secret.secret, secrets))?;
    }
    plain("version", &config.version)?;
    config.beta.iter().try_for_each(|feature| plain("beta", feature))?;
    config.headers.iter().try_for_each(|(name, value)| header(name, value, config, secrets))?;
    ensure(config.model.as_deref() != Some(""), || "`model` must not be empty".to_owned())?;
    ensure(config.max_output_tokens > 0, || "`max-output-tokens` must be more than 0".to_owned())?;
    ensure(config.activity_timeout_ms > 0, || "`activity-timeout-ms` must be more than 0".to_owned())
}

fn base_url(url: &str) -> Result<(), ConfigError> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |host: &str| {
        !host.is_empty() && !host.starts_with('/') && !host.contains(|c: char| "?#@".contains(c) || c.is_whitespace())
    };
    ensure(host.is_some_and(plain), || {
        format!("`base-url` must be an http or https address without a query, not `{}`", url.escape_debug())
    })
}

fn header(name: &str, value: &HeaderValue, config: &Config, secrets: &[SecretInfo]) -> Result<(), ConfigError> {
    let token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    ensure(token, || format!("`headers` has a name that is no header's: `{}`", name.escape_debug()))?;
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let own = OWN_HEADERS.iter().find(|(own, _)| is(own)).map(|(_, why)| *why);
    let twice = (config.api_key.is_some() && is("x-api-key")).then_some("has a key of its own: `api-key`");
    let twice = twice.or((config.auth_token.is_some() && is("authorization")).then_some("is `auth-token` already"));
    if let Some(why) = own.or(twice) {
        return Err(ConfigError(format!("`headers.{name}` {why}")));
    }
    match value {
        HeaderValue::Text(text) => ensure(!text.contains(|c: char| c.is_control()), || {
            format!("`headers.{name}` has a control character in its value")
        }),
        HeaderValue::Secret(secret) => granted(&format!("headers.{name}"), &secret.secret, secrets),
    }
}

fn plain(key: &str, value: &str) -> Result<(), ConfigError> {
    let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    ensure(plain, || format!("`{key}` must be a plain word, not `{}`", value.escape_debug()))
}

fn granted(key: &str, secret: &str, secrets: &[SecretInfo]) -> Result<(), ConfigError> {
    ensure(secrets.iter().any(|granted| granted.name == secret), || {
        format!("`{key}` names the secret `{}`, which is not granted to this plugin", secret.escape_debug())
    })
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError(message())) }
}
