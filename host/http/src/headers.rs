//! Headers that a plugin may send, and those it receives.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Failure, FailureKind};
use crate::limits::EgressLimits;

/// Headers that frame a message, name its destination or steer the connection. Were they the plugin's, it could smuggle
/// a second request or reach another tenant of a shared server (RFC 9110 section 7.6.1, RFC 9112 sections 6 and 11.2).
const HOST_OWNED: [&str; 15] = [
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
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Checks and converts a request's headers. Every value is marked as sensitive: it is never printed, and never put into
/// a compression table that outlives the request.
pub(crate) fn outgoing(headers: &[(String, Vec<u8>)], limits: &EgressLimits) -> Result<HeaderMap, Failure> {
    if headers.len() > limits.request_headers {
        return Err(denied(format!("more than {} headers", limits.request_headers)));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > limits.request_header_bytes {
        return Err(denied(format!("more than {} bytes of headers", limits.request_header_bytes)));
    }
    let mut map = HeaderMap::with_capacity(headers.len());
    for (position, (name, value)) in headers.iter().enumerate() {
        // Malformed names are not quoted: they may be anything, a misplaced secret too.
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid(format!("the name of header {position} is malformed")))?;
        if HOST_OWNED.contains(&name.as_str()) {
            return Err(denied(format!("the header {name} belongs to the host")));
        }
        let mut value = HeaderValue::from_bytes(value)
            .map_err(|_| invalid(format!("the value of the header {name} has a control character")))?;
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}

/// Converts a response's headers.
pub(crate) fn incoming(headers: &HeaderMap, limits: &EgressLimits) -> Result<Vec<(String, String)>, Failure> {
    let too_large = |message: String| Err(Failure::midway(FailureKind::TooLarge, message));
    if headers.len() > limits.response_headers {
        return too_large(format!("the response has more than {} headers", limits.response_headers));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.response_header_bytes {
        return too_large(format!("the response has more than {} bytes of headers", limits.response_header_bytes));
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect())
}

fn denied(message: String) -> Failure {
    Failure::unsent(FailureKind::Denied, message)
}

fn invalid(message: String) -> Failure {
    Failure::unsent(FailureKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::{HOST_OWNED, outgoing};
    use crate::error::FailureKind;
    use crate::limits::EgressLimits;
    use proptest::prelude::*;

    fn refused(name: &str, value: &[u8]) -> FailureKind {
        let header = (name.to_owned(), value.to_owned());
        outgoing(&[header], &EgressLimits::default()).unwrap_err().kind
    }

    #[test]
    fn g12_what_belongs_to_the_host_is_refused_in_any_case() {
        for name in HOST_OWNED {
            assert_eq!(refused(name, b"x"), FailureKind::Denied, "{name}");
            assert_eq!(refused(&name.to_uppercase(), b"x"), FailureKind::Denied, "{name}");
        }
    }

    #[test]
    fn g12_two_hundred_injections_are_refused() {
        let mut count = 0;
        for evil in
            ["\r", "\n", "\0", "\r\n", "\r\nhost: evil", "\n\nGET / HTTP/1.1", "\u{b}", "\u{c}", "\u{1b}", "\u{7f}"]
        {
            for frame in ["{}", "a{}", "{}a", "a{}b", " {} ", "a: {}", "\t{}\t", "{}{}", "x-a{}", "{}: b"] {
                let text = frame.replace("{}", evil);
                assert_eq!(refused("x-name", text.as_bytes()), FailureKind::Invalid, "value {text:?}");
                assert_eq!(refused(&text, b"value"), FailureKind::Invalid, "name {text:?}");
                count += 2;
            }
        }
        for name in ["", " ", "a b", "a:", ":authority", "a\u{e9}", "(", "a,b", "host ", " host"] {
            assert_eq!(refused(name, b"value"), FailureKind::Invalid, "name {name:?}");
            count += 1;
        }
        assert!(count >= 200);
    }

    #[test]
    fn g12_the_sixty_fifth_header_and_the_last_byte_are_refused() {
        let limits = EgressLimits::default();
        let many: Vec<_> = (0..65).map(|n| (format!("x-{n}"), b"v".to_vec())).collect();
        assert_eq!(outgoing(&many, &limits).unwrap_err().kind, FailureKind::Denied);
        assert!(outgoing(&many[1..], &limits).is_ok());
        let exactly = vec![("a".to_owned(), vec![b'v'; limits.request_header_bytes - 1])];
        assert!(outgoing(&exactly, &limits).is_ok());
        let more = vec![("a".to_owned(), vec![b'v'; limits.request_header_bytes])];
        assert_eq!(outgoing(&more, &limits).unwrap_err().kind, FailureKind::Denied);
    }

    #[test]
    fn no_message_holds_a_value() {
        let header = ("x-key".to_owned(), b"hunter2\n".to_vec());
        let failure = outgoing(&[header], &EgressLimits::default()).unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"));
        let fine = outgoing(&[("x-key".to_owned(), b"hunter2".to_vec())], &EgressLimits::default()).unwrap();
        assert!(!format!("{fine:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn what_passes_has_no_line_break(name in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
            let name = String::from_utf8_lossy(&name).into_owned();
            if let Ok(map) = outgoing(&[(name, value)], &EgressLimits::default()) {
                for (name, value) in &map {
                    prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_graphic() && b != b':'));
                    prop_assert!(value.as_bytes().iter().all(|b| !matches!(b, b'\r' | b'\n' | 0)));
                }
            }
        }
    }
}
