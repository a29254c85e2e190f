//! Endpoints that a plugin reaches over HTTP: which plugin, its configuration, and what is granted for it.

use super::Grants;
use crate::config::{Endpoint, EndpointKind, From as Given, HeaderValue, WireApi};
use crate::failure::Failure;
use llm_provider_host::egress::Origin;
use llm_provider_host::{Destination, Secret, SecretGrant};
use serde_json::{Map, Value, json};

/// What it takes to ask an endpoint.
pub(super) struct Direct {
    pub(super) config: Value,
    pub(super) secrets: Grants,
}

/// The configuration of the plugin that speaks the endpoint's dialect, with its secrets bound to the endpoint's origin.
pub(super) fn direct(endpoint: &Endpoint) -> Result<Direct, Failure> {
    let origin = Origin::of(&endpoint.base_url.value).map_err(|error| {
        let message = format!("{} is no address of an endpoint: {error}", endpoint.base_url.from);
        Failure::usage(message, "write it as https://host/path, without a user")
    })?;
    let mut granted = Granted { origin: origin.to_string(), secrets: Grants::new() };
    let mut config = Map::from_iter([("base-url".to_owned(), Value::from(endpoint.base_url.value.clone()))]);
    let headers: Map<String, Value> =
        endpoint.headers.iter().map(|(name, value)| (name.clone(), granted.header(name, value))).collect();
    if !headers.is_empty() {
        config.insert("headers".into(), headers.into());
    }
    match endpoint.kind.value {
        EndpointKind::OpenAi | EndpointKind::Azure => openai(endpoint, &mut config, &mut granted),
        EndpointKind::Anthropic => key_or_token("x-api-key", endpoint, &mut config, &mut granted),
        EndpointKind::Gemini => key_or_token("x-goog-api-key", endpoint, &mut config, &mut granted),
    }
    Ok(Direct { config: config.into(), secrets: granted.secrets })
}

/// The embedded plugin that speaks a dialect, and its name.
pub(super) fn plugin(kind: EndpointKind) -> (&'static [u8], &'static str) {
    match kind {
        EndpointKind::OpenAi | EndpointKind::Azure => (llm_provider_bundle::OPENAI, "openai"),
        EndpointKind::Anthropic => (llm_provider_bundle::ANTHROPIC, "anthropic"),
        EndpointKind::Gemini => (llm_provider_bundle::GEMINI, "gemini"),
    }
}

fn openai(endpoint: &Endpoint, config: &mut Map<String, Value>, granted: &mut Granted) {
    let azure = endpoint.kind.value == EndpointKind::Azure;
    if azure {
        config.insert("service".into(), "azure".into());
    }
    match (&endpoint.token, &endpoint.api_key) {
        (Some(token), _) => {
            config.insert("api-key".into(), granted.secret("api-key", token, "authorization"));
            config.insert("key-header".into(), "authorization".into());
        }
        (None, Some(key)) => {
            let header = if azure { "api-key" } else { "authorization" };
            config.insert("api-key".into(), granted.secret("api-key", key, header));
        }
        (None, None) => {}
    }
    if endpoint.wire_api == Some(WireApi::Responses) {
        config.insert("api".into(), "responses".into());
    }
    if let Some(version) = &endpoint.api_version {
        config.insert("api-version".into(), version.clone().into());
        // Versions by date belong to the older paths; the newer ones need none.
        if azure && !endpoint.base_url.value.trim_end_matches('/').ends_with("/openai/v1") {
            config.insert("deployments".into(), true.into());
        }
    }
}

/// A token, or else a key in a header of its own.
fn key_or_token(header: &str, endpoint: &Endpoint, config: &mut Map<String, Value>, granted: &mut Granted) {
    match (&endpoint.token, &endpoint.api_key) {
        (Some(token), _) => {
            config.insert("auth-token".into(), granted.secret("auth-token", token, "authorization"));
        }
        (None, Some(key)) => {
            config.insert("api-key".into(), granted.secret("api-key", key, header));
        }
        (None, None) => {}
    }
}

/// Secrets on their way into headers of one origin.
struct Granted {
    origin: String,
    secrets: Grants,
}

impl Granted {
    fn secret(&mut self, name: &str, value: &Given<Secret>, header: &str) -> Value {
        self.grant(name, &value.value, header)
    }

    fn header(&mut self, name: &str, value: &HeaderValue) -> Value {
        match value {
            HeaderValue::Plain(text) => text.clone().into(),
            HeaderValue::Secret(secret) => self.grant(&format!("header:{name}"), secret, name),
        }
    }

    fn grant(&mut self, name: &str, value: &Secret, header: &str) -> Value {
        let to = Destination::HttpHeader { origin: self.origin.clone(), header: header.to_ascii_lowercase() };
        self.secrets.insert(name.to_owned(), SecretGrant { value: value.clone(), destinations: vec![to] });
        json!({ "secret": name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Through;
    use std::collections::BTreeMap;

    fn given<T>(value: T) -> Given<T> {
        Given { value, from: "test".into() }
    }

    fn endpoint(kind: EndpointKind, base_url: &str) -> Endpoint {
        Endpoint {
            name: "x".into(),
            kind: given(kind),
            base_url: given(base_url.into()),
            wire_api: None,
            api_version: None,
            headers: BTreeMap::new(),
            api_key: Some(given(Secret::new("k"))),
            token: None,
            through: Through::Http,
            egress: None,
            max_prompt_tokens: None,
            max_output_tokens: Some(5),
        }
    }

    fn to(origin: &str, header: &str) -> Vec<Destination> {
        vec![Destination::HttpHeader { origin: origin.into(), header: header.into() }]
    }

    /// G16: each key goes into one header of one origin.
    #[test]
    fn g16_a_key_is_bound_to_the_header_that_its_dialect_uses() {
        for (kind, url, origin, header) in [
            (EndpointKind::OpenAi, "https://m.example/v1", "https://m.example", "authorization"),
            (EndpointKind::Azure, "https://r.example:8443", "https://r.example:8443", "api-key"),
            (EndpointKind::Anthropic, "http://127.0.0.1:1", "http://127.0.0.1:1", "x-api-key"),
            (EndpointKind::Gemini, "https://g.example/v1beta", "https://g.example", "x-goog-api-key"),
        ] {
            let direct = direct(&endpoint(kind, url)).unwrap();
            assert_eq!(direct.secrets["api-key"].destinations, to(origin, header));
            assert_eq!(direct.config["api-key"], json!({ "secret": "api-key" }));
        }
    }

    #[test]
    fn azure_by_date_takes_the_older_paths() {
        let mut azure = endpoint(EndpointKind::Azure, "https://r.openai.azure.com");
        azure.api_version = Some("2024-10-21".into());
        azure.wire_api = Some(WireApi::Responses);
        let config = direct(&azure).unwrap().config;
        assert_eq!(
            (&config["deployments"], &config["service"], &config["api"]),
            (&json!(true), &json!("azure"), &json!("responses"))
        );
        azure.base_url = given("https://r.openai.azure.com/openai/v1/".into());
        assert_eq!(direct(&azure).unwrap().config.get("deployments"), None);
    }

    #[test]
    fn tokens_and_secret_headers_have_their_own_places() {
        let mut claude = endpoint(EndpointKind::Anthropic, "https://m.example");
        claude.token = Some(given(Secret::new("t")));
        claude.headers = BTreeMap::from([
            ("X-Team".into(), HeaderValue::Plain("blue".into())),
            ("X-Key".into(), HeaderValue::Secret(Secret::new("s"))),
        ]);
        let direct = direct(&claude).unwrap();
        let expected = json!({
            "base-url": "https://m.example", "auth-token": { "secret": "auth-token" },
            "headers": { "X-Team": "blue", "X-Key": { "secret": "header:X-Key" } },
        });
        assert_eq!(direct.config, expected);
        assert_eq!(direct.secrets["auth-token"].destinations, to("https://m.example", "authorization"));
        assert_eq!(direct.secrets["header:X-Key"].destinations, to("https://m.example", "x-key"));
        assert_eq!(direct.secrets.len(), 2, "the key is not used beside the token");
    }
}
