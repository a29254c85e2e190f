//! Requests around their bodies, and what both APIs say alike in them.

use crate::config::Config;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::endpoint::plain_header;
use llm_provider_guest::http::{Header, Request};
use llm_provider_guest::secrets::Chunk;
use serde::Serialize;

/// Headers that the plugin writes, besides the one for the key.
pub(crate) const HEADERS: [&str; 5] =
    ["accept", "content-type", "idempotency-key", "openai-organization", "openai-project"];

/// A request for a streamed answer. `key` names it for services that take each name once.
pub(crate) fn post(config: &Config, url: String, key: &str, body: &impl Serialize) -> Result<Request, Failure> {
    let body = serde_json::to_vec(body)
        .map_err(|error| Failure::of(Fault::Invalid, format!("the request cannot be written as JSON: {error}")))?;
    let mut headers = vec![
        plain_header("content-type", "application/json"),
        plain_header("accept", "text/event-stream"),
        plain_header("idempotency-key", key),
    ];
    headers.extend(configured(config));
    Ok(Request { method: "POST".into(), url, headers, body: vec![Chunk::Bytes(body)], first_byte_timeout: None })
}

/// A request for something to read.
pub(crate) fn get(config: &Config, url: String) -> Request {
    let mut headers = vec![plain_header("accept", "application/json")];
    headers.extend(configured(config));
    Request { method: "GET".into(), url, headers, body: Vec::new(), first_byte_timeout: None }
}

/// The headers that stand in the configuration.
fn configured(config: &Config) -> impl Iterator<Item = Header> {
    let (name, prefix) = config.key_header();
    let key = config.api_key.as_ref().map(|key| key.header(name, prefix));
    let organization = config.organization.as_deref().map(|text| plain_header("openai-organization", text));
    let project = config.project.as_deref().map(|text| plain_header("openai-project", text));
    let own = config.headers.iter().map(|(name, value)| value.header(name));
    key.into_iter().chain(organization).chain(project).chain(own)
}

/// What an option fails with that an API has no place for.
pub(crate) fn unsupported(api: &str, what: &str) -> Failure {
    Failure::of(Fault::Unsupported, format!("{api} has no place for {what}; leave it out"))
}

/// What a block fails with that stands where no API takes it.
pub(crate) fn misplaced(what: &str, message: &str) -> Failure {
    Failure::of(Fault::Invalid, format!("{what} stands in a message of the {message}"))
}

/// The arguments of a call as they go back. A call without arguments may be nothing here, which is no JSON.
pub(crate) fn arguments(arguments: &str) -> &str {
    if arguments.trim().is_empty() { "{}" } else { arguments }
}
