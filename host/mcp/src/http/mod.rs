//! A server that is a service behind a URL.

mod body;
mod client;

use crate::limits::McpLimits;
use crate::mask::Mask;
use client::{Client, HttpError};
use llm_provider_host::Secret;
use llm_provider_http::Egress;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Tries to take up a stream that broke, and the first wait; each further wait is twice as long. Four seconds in all: a
/// network that comes back is met, and a call to a server that is gone fails soon.
const RESUMES: usize = 4;
const RESUME_AFTER: Duration = Duration::from_millis(250);

/// Headers that are the protocol's own.
const RESERVED: [&str; 3] = ["accept", "content-type", "last-event-id"];

/// An MCP server that speaks streamable HTTP.
#[derive(Clone)]
pub struct Endpoint {
    url: String,
    headers: Vec<(String, Secret)>,
    egress: Egress,
}

impl Endpoint {
    /// A server at a URL, reached through `egress`, whose policy must grant the URL's origin. Its limits should be
    /// [`McpLimits::egress`]'s, so that a long call is not taken for a dead one.
    #[must_use]
    pub fn new(url: impl Into<String>, egress: Egress) -> Self {
        Self { url: url.into(), headers: Vec::new(), egress }
    }

    /// Adds a header to each request, such as `authorization`. Its value is secret.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// A header such as `Bearer ...` has the secret after a word: the server may say it without.
    pub(crate) fn mask(&self) -> Mask {
        let whole = self.headers.iter().map(|(_, value)| value.clone());
        let parts = self.headers.iter().filter_map(|(_, value)| value.expose().split_once(' '));
        let all: Vec<Secret> = whole.chain(parts.map(|(_, part)| Secret::new(part))).collect();
        Mask::new(all.iter())
    }
}

impl fmt::Debug for Endpoint {
    /// Without the values of headers, and without the query, which may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("Endpoint").field("url", &url).field("headers", &names).finish_non_exhaustive()
    }
}

/// The protocol over an egress.
pub(crate) fn transport(
    endpoint: Endpoint,
    limits: &McpLimits,
) -> Result<StreamableHttpClientTransport<Client>, String> {
    let Endpoint { url, headers, egress } = endpoint;
    let reserved = |name: &str| RESERVED.contains(&name) || name.starts_with("mcp-");
    if let Some((name, _)) = headers.iter().find(|(name, _)| reserved(&name.to_ascii_lowercase())) {
        return Err(format!("the header {name} is the protocol's own"));
    }
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    let mut resumes = ExponentialBackoff::default();
    resumes.max_times = Some(RESUMES);
    resumes.base_duration = RESUME_AFTER;
    config.retry_config = Arc::new(resumes);
    config.max_sse_event_size = limits.message_bytes;
    config.max_json_response_size = limits.message_bytes;
    config.max_error_response_size = limits.reason_bytes;
    Ok(StreamableHttpClientTransport::with_client(Client::new(egress, headers), config))
}

/// What a transport says of a message that was not sent: what happened, and not which layers tell of it.
pub(crate) fn why(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<StreamableHttpError<HttpError>>() {
        Some(StreamableHttpError::Client(error)) => error.to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::McpServer;
    use llm_provider_http::{EgressPolicy, Origin, Trust};

    fn endpoint() -> Endpoint {
        let policy = EgressPolicy::new(Trust::system().expect("certificate authorities"));
        let egress = Egress::new(policy, McpLimits::default().egress()).expect("an egress");
        Endpoint::new("https://example.com/mcp?key=hunter1", egress)
    }

    #[test]
    fn an_endpoint_prints_no_secret() {
        let endpoint = endpoint().header("authorization", Secret::new("Bearer hunter22"));
        let text = format!("{endpoint:?}");
        assert!(text.contains("https://example.com/mcp") && text.contains("authorization"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
        assert_eq!(endpoint.mask().text("hunter22, Bearer hunter22".to_owned()), "******, ******");
    }

    #[tokio::test]
    async fn headers_of_the_protocol_are_its_own() {
        for name in ["Accept", "content-type", "Mcp-Session-Id", "MCP-Protocol-Version", "last-event-id"] {
            let endpoint = endpoint().header(name, Secret::new("x"));
            let refused = transport(endpoint, &McpLimits::default()).err().expect(name);
            assert!(refused.contains(name), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_told_without_the_names_of_types() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let (url, limits) = (format!("http://{free}/mcp"), McpLimits::default());
        let policy = EgressPolicy::new(Trust::only([]).expect("no authorities"));
        let policy = policy.allow_private(Origin::of(&url).expect("an origin"));
        let endpoint = Endpoint::new(url, Egress::new(policy, limits.egress()).expect("an egress"));
        let error = McpServer::http("web", endpoint, limits).await.expect_err("nobody is there").to_string();
        assert!(error.starts_with("the MCP server `web` did not answer as one: no connection: "), "{error}");
        assert!(!error.contains("::") && !error.contains('\n'), "{error}");
    }
}
