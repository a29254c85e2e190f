//! Requests around their bodies.

use crate::config::Config;
use llm_provider_core::endpoint::plain_header;
use llm_provider_guest::http::{Header, Request};
use llm_provider_guest::secrets::Chunk;

/// Headers that the plugin writes, besides those for the key or the token.
pub(crate) const HEADERS: [&str; 2] = ["accept", "content-type"];
/// The header for the key. The API would take it in the query too, where proxies write it down.
pub(crate) const KEY: &str = "x-goog-api-key";
/// The header for the token.
pub(crate) const TOKEN: &str = "authorization";

/// A request for a streamed answer.
pub(crate) fn post(config: &Config, url: String, body: Vec<u8>) -> Request {
    let mut headers =
        vec![plain_header("content-type", "application/json"), plain_header("accept", "text/event-stream")];
    headers.extend(configured(config));
    Request { method: "POST".to_owned(), url, headers, body: vec![Chunk::Bytes(body)], first_byte_timeout: None }
}

/// A request for something to read.
pub(crate) fn get(config: &Config, url: String) -> Request {
    let mut headers = vec![plain_header("accept", "application/json")];
    headers.extend(configured(config));
    Request { method: "GET".to_owned(), url, headers, body: Vec::new(), first_byte_timeout: None }
}

/// The headers that stand in the configuration.
fn configured(config: &Config) -> impl Iterator<Item = Header> {
    let key = config.api_key.as_ref().map(|key| key.header(KEY, ""));
    let token = config.auth_token.as_ref().map(|token| token.header(TOKEN, "Bearer "));
    key.into_iter().chain(token).chain(config.headers.iter().map(|(name, value)| value.header(name)))
}
