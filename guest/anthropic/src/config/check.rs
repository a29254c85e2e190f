//! What a configuration of the right shape may still get wrong.

use super::Config;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::endpoint::{HeaderValue, base_url, ensure, header_name};
use llm_provider_guest::secrets::SecretInfo;

/// Headers with a key of their own, or that only this plugin can know.
const OWN_HEADERS: [(&str, &str); 4] = [
    ("accept", "is set by the plugin"),
    ("content-type", "is set by the plugin"),
    ("anthropic-version", "has a key of its own: `version`"),
    ("anthropic-beta", "has a key of its own: `beta`"),
];

pub(super) fn config(config: &Config, secrets: &[SecretInfo]) -> Result<(), Failure> {
    base_url("base-url", &config.base_url)?;
    ensure(config.api_key.is_none() || config.auth_token.is_none(), || {
        "`api-key` and `auth-token` exclude each other".to_owned()
    })?;
    for (key, secret) in [("api-key", &config.api_key), ("auth-token", &config.auth_token)] {
        secret.iter().try_for_each(|secret| secret.check(key, secrets))?;
    }
    plain("version", &config.version)?;
    config.beta.iter().try_for_each(|feature| plain("beta", feature))?;
    config.headers.iter().try_for_each(|(name, value)| header(name, value, config, secrets))?;
    ensure(config.model.as_deref() != Some(""), || "`model` must not be empty".to_owned())?;
    ensure(config.max_output_tokens > 0, || "`max-output-tokens` must be more than 0".to_owned())?;
    ensure(config.activity_timeout_ms > 0, || "`activity-timeout-ms` must be more than 0".to_owned())
}

fn header(name: &str, value: &HeaderValue, config: &Config, secrets: &[SecretInfo]) -> Result<(), Failure> {
    header_name("headers", name)?;
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let own = OWN_HEADERS.iter().find(|(own, _)| is(own)).map(|(_, why)| *why);
    let twice = (config.api_key.is_some() && is("x-api-key")).then_some("has a key of its own: `api-key`");
    let twice = twice.or((config.auth_token.is_some() && is("authorization")).then_some("is `auth-token` already"));
    match own.or(twice) {
        Some(why) => Err(Failure::of(Fault::Invalid, format!("`headers.{name}` {why}"))),
        None => value.check(&format!("headers.{name}"), secrets),
    }
}

fn plain(key: &str, value: &str) -> Result<(), Failure> {
    let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    ensure(plain, || format!("`{key}` must be a plain word, not `{}`", value.escape_debug()))
}
