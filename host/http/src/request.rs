//! What goes in and what comes out.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Failure;

/// A request, as the plugin made it, with secrets already in place. Nothing of it is trusted.
///
/// `Debug` prints no header value, no body and no query: they may hold secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// `GET`, `POST` and so on, in capitals.
    pub method: String,
    /// An absolute http or https URL.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; empty for none.
    pub body: Bytes,
    /// The longest wait for the head of the response; the limit's when absent or longer.
    pub first_byte_timeout: Option<Duration>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let (method, url) = (method.into(), url.into());
        Self { method, url, headers: Vec::new(), body: Bytes::new(), first_byte_timeout: None }
    }

    /// `GET` without headers.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `POST` without headers.
    pub fn post(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::new("POST", url) }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &url)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("first_byte_timeout", &self.first_byte_timeout)
            .finish()
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseHead {
    /// The status. A redirect is a response like any other.
    pub status: u16,
    /// The headers in order; names in lower case, values with invalid UTF-8 replaced.
    pub headers: Vec<(String, String)>,
}

/// What happens to a request: one `Response`, then `Chunk`s, then one `End`; or at any point one `Failed`, after which
/// nothing follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The head of the response.
    Response(ResponseHead),
    /// Some bytes of its body, never none and never more than [`EgressLimits::chunk_bytes`](crate::EgressLimits).
    Chunk(Bytes),
    /// Its end.
    End,
    /// It failed.
    Failed(Failure),
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn debug_prints_no_secret() {
        let request = Request::post("https://example.com/v1?key=hunter1", "hunter2").header("x-api-key", "hunter3");
        let text = format!("{request:?}");
        assert!(text.contains("x-api-key") && text.contains("https://example.com/v1"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}
