//! What a configuration of the right shape may still get wrong.

use super::{Api, Config, Service};
use crate::outgoing;
use llm_provider_core::classify::Failure;
use llm_provider_core::endpoint::{base_url, ensure, header_name, header_text};
use llm_provider_guest::secrets::SecretInfo;

pub(super) fn config(config: &Config, secrets: &[SecretInfo]) -> Result<(), Failure> {
    base_url("base-url", &config.base_url)?;
    ensure(config.activity_timeout_ms > 0, || "`activity-timeout-ms` must be more than 0".to_owned())?;
    ensure(config.model.as_deref() != Some(""), || "`model` must not be empty".to_owned())?;
    service(config)?;
    api(config)?;
    if let Some(key) = &config.api_key {
        key.check("api-key", secrets)?;
    }
    if let Some(name) = &config.key_header {
        header_name("key-header", name)?;
        ensure(config.api_key.is_some(), || "`key-header` has a meaning with an `api-key` only".to_owned())?;
    }
    for (key, text) in [("organization", &config.organization), ("project", &config.project)] {
        text.as_deref().map_or(Ok(()), |text| header_text(key, text))?;
    }
    config.headers.iter().try_for_each(|(name, value)| {
        header_name("headers", name)?;
        ensure(!is_ours(config, name), || format!("`headers.{name}` is a header that the plugin itself writes"))?;
        value.check(&format!("headers.{name}"), secrets)
    })
}

fn service(config: &Config) -> Result<(), Failure> {
    let azure = config.service == Service::Azure;
    let only_azure = [("api-version", config.api_version.is_some()), ("deployments", config.deployments)];
    for (key, given) in only_azure {
        ensure(azure || !given, || format!("`{key}` has a meaning for the service `azure` only"))?;
    }
    for (key, given) in [("organization", config.organization.is_some()), ("project", config.project.is_some())] {
        ensure(!azure || !given, || format!("`{key}` has no meaning for the service `azure`"))?;
    }
    ensure(!config.deployments || config.api_version.is_some(), || "`deployments` needs an `api-version`".to_owned())?;
    let plain = |version: &str| {
        !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    ensure(config.api_version.as_deref().is_none_or(plain), || {
        "`api-version` may have ASCII letters, digits, `-`, `.` and `_` only".to_owned()
    })
}

fn api(config: &Config) -> Result<(), Failure> {
    let only_chat = [
        ("max-tokens-field", config.max_tokens_field.is_some()),
        // Responses tell it without being asked.
        ("stream-usage", !config.stream_usage),
    ];
    for (key, given) in only_chat {
        ensure(config.api == Api::ChatCompletions || !given, || {
            format!("`{key}` has a meaning for the api `chat-completions` only")
        })?;
    }
    Ok(())
}

fn is_ours(config: &Config, name: &str) -> bool {
    let key = config.api_key.is_some() && config.key_header().0.eq_ignore_ascii_case(name);
    key || outgoing::HEADERS.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}
