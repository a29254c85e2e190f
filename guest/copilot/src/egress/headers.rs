//! Headers on their way out and back.

use super::placeholder;
use crate::wire::inference::Headers;
use llm_provider_guest::http::Header;
use llm_provider_guest::http_types::ResponseHeader;

/// What concerns one connection and not the message (RFC 9110 section 7.6.1), or is for the host to say.
fn is_of_the_connection(name: &str) -> bool {
    [
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
    .iter()
    .any(|own| name.eq_ignore_ascii_case(own))
}

/// The CLI's headers as the host sends them: without a wish for compression, since the CLI takes what is handed to it as
/// it is (seen with 1.0.102, which sends none); with the secrets in the places of their placeholders.
pub(super) fn outgoing(headers: Headers, secrets: &[(String, String)]) -> Vec<Header> {
    let dropped = |name: &str| is_of_the_connection(name) || name.eq_ignore_ascii_case("accept-encoding");
    let kept = headers.into_iter().filter(|(name, _)| !dropped(name));
    let each = |(name, values): (String, Vec<String>)| {
        values.into_iter().map(move |value| Header { name: name.clone(), value: placeholder::fill(&value, secrets) })
    };
    kept.flat_map(each).collect()
}

/// The response's headers as the CLI takes them.
pub(super) fn incoming(headers: &[ResponseHeader]) -> Headers {
    let mut map = Headers::new();
    for header in headers.iter().filter(|header| !is_of_the_connection(&header.name)) {
        map.entry(header.name.clone()).or_default().push(header.value.clone());
    }
    map
}
