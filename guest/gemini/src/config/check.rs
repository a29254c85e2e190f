//! What a configuration of the right shape may still get wrong.

use super::{Config, SafetySetting};
use crate::outgoing;
use llm_provider_core::classify::Failure;
use llm_provider_core::endpoint::{base_url, ensure, header_name};
use llm_provider_guest::secrets::SecretInfo;

pub(super) fn config(config: &Config, secrets: &[SecretInfo]) -> Result<(), Failure> {
    base_url("base-url", &config.base_url)?;
    ensure(config.api_key.is_none() || config.auth_token.is_none(), || {
        "`api-key` and `auth-token` exclude each other".to_owned()
    })?;
    for (key, secret) in [("api-key", &config.api_key), ("auth-token", &config.auth_token)] {
        secret.iter().try_for_each(|secret| secret.check(key, secrets))?;
    }
    config.headers.iter().try_for_each(|(name, value)| {
        header_name("headers", name)?;
        ensure(!is_ours(config, name), || format!("`headers.{name}` is a header that the plugin itself writes"))?;
        value.check(&format!("headers.{name}"), secrets)
    })?;
    ensure(config.model.as_deref() != Some(""), || "`model` must not be empty".to_owned())?;
    config.safety_settings.iter().try_for_each(safety)?;
    ensure(config.activity_timeout_ms > 0, || "`activity-timeout-ms` must be more than 0".to_owned())
}

/// Which words there are is the API's business; that they are words can be told here.
fn safety(setting: &SafetySetting) -> Result<(), Failure> {
    for (key, word) in [("category", &setting.category), ("threshold", &setting.threshold)] {
        let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        ensure(plain, || {
            format!("`safety-settings` has a {key} that is no word of the API: `{}`", word.escape_debug())
        })?;
    }
    Ok(())
}

fn is_ours(config: &Config, name: &str) -> bool {
    let is = |ours: &str| ours.eq_ignore_ascii_case(name);
    outgoing::HEADERS.iter().any(|ours| is(ours))
        || (config.api_key.is_some() && is(outgoing::KEY))
        || (config.auth_token.is_some() && is(outgoing::TOKEN))
}
