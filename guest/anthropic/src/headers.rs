//! The headers of every request.

use crate::config::Config;
use llm_provider_core::endpoint::plain_header;
use llm_provider_guest::http::Header;

/// The headers as configured, for a request with a body whose answer is a stream, or for one without a body.
pub(crate) fn of(config: &Config, asks: bool) -> Vec<Header> {
    let mut headers = vec![plain_header("anthropic-version", &config.version)];
    if asks {
        headers.push(plain_header("content-type", "application/json"));
        headers.push(plain_header("accept", "text/event-stream"));
    } else {
        headers.push(plain_header("accept", "application/json"));
    }
    headers.extend(config.api_key.as_ref().map(|key| key.header("x-api-key", "")));
    headers.extend(config.auth_token.as_ref().map(|token| token.header("authorization", "Bearer ")));
    if !config.beta.is_empty() {
        headers.push(plain_header("anthropic-beta", &config.beta.join(",")));
    }
    headers.extend(config.headers.iter().map(|(name, value)| value.header(name)));
    headers
}
