//! The headers of every request.

use crate::config::{Config, HeaderValue, SecretName};
use llm_provider_guest::http::Header;
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};

/// The headers as configured, for a request with a body whose answer is a stream, or for one without a body.
pub(crate) fn of(config: &Config, asks: bool) -> Vec<Header> {
    let mut headers = vec![text("anthropic-version", &config.version)];
    if asks {
        headers.push(text("content-type", "application/json"));
        headers.push(text("accept", "text/event-stream"));
    } else {
        headers.push(text("accept", "application/json"));
    }
    if let Some(key) = &config.api_key {
        headers.push(header("x-api-key", vec![secret(key)]));
    }
    if let Some(token) = &config.auth_token {
        headers.push(header("authorization", vec![Chunk::Bytes(b"Bearer ".to_vec()), secret(token)]));
    }
    if !config.beta.is_empty() {
        headers.push(text("anthropic-beta", &config.beta.join(",")));
    }
    headers.extend(config.headers.iter().map(|(name, value)| match value {
        HeaderValue::Text(value) => text(name, value),
        HeaderValue::Secret(name_of_secret) => header(name, vec![secret(name_of_secret)]),
    }));
    headers
}

fn text(name: &str, value: &str) -> Header {
    header(name, vec![Chunk::Bytes(value.as_bytes().to_vec())])
}

fn header(name: &str, value: Vec<Chunk>) -> Header {
    Header { name: name.to_owned(), value }
}

fn secret(secret: &SecretName) -> Chunk {
    Chunk::Secret(SecretRef { name: secret.secret.clone(), encoding: SecretEncoding::Raw })
}
