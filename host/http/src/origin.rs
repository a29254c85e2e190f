//! Where a request goes: scheme, host and port.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Not at all.
    Http,
    /// With TLS.
    Https,
}

/// An exact origin. Two spellings of one host (case, punycode, the forms of an IPv4 address) are one origin; a trailing
/// dot, another port or the other scheme are another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// The origin of an absolute URL.
    ///
    /// # Errors
    ///
    /// See [`OriginError`]; [`OriginError::NotAnOrigin`] does not occur.
    pub fn of(url: &str) -> Result<Self, OriginError> {
        parse(url).map(|(_, origin)| origin)
    }

    /// How connections are secured.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host: a name in lower case and punycode, or an address.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Parses `https://host`, `https://host:port` or `http://..`, with nothing after it but a slash.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (url, origin) = parse(text)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(OriginError::NotAnOrigin);
        }
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.scheme, self.port) {
            (Scheme::Http, 80) => write!(f, "http://{}", self.host),
            (Scheme::Https, 443) => write!(f, "https://{}", self.host),
            (Scheme::Http, port) => write!(f, "http://{}:{port}", self.host),
            (Scheme::Https, port) => write!(f, "https://{}:{port}", self.host),
        }
    }
}

/// Why a text is no URL that can be requested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It cannot be parsed.
    #[error("malformed URL: {0}")]
    Malformed(&'static str),
    /// It is neither http nor https.
    #[error("only http and https URLs can be requested")]
    Scheme,
    /// It names a user or a password.
    #[error("a URL must not carry user information")]
    UserInformation,
    /// It names port 0.
    #[error("port 0 cannot be connected to")]
    PortZero,
    /// It has a path, a query or a fragment where an origin is wanted.
    #[error("an origin is a scheme, a host and a port, and nothing else")]
    NotAnOrigin,
}

/// Parses a URL to request. The URL comes back in its canonical form, which is what must be used from here on.
pub(crate) fn parse(text: &str) -> Result<(Url, Origin), OriginError> {
    // The URL standard drops some of these silently. Whoever writes them wants two parsers to disagree.
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(OriginError::Malformed("control character or space"));
    }
    let url = Url::parse(text).map_err(|_| OriginError::Malformed("not an absolute URL"))?;
    let scheme = match url.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(OriginError::Scheme),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OriginError::UserInformation);
    }
    let host = url.host().ok_or(OriginError::Malformed("no host"))?.to_owned();
    let port = url.port_or_known_default().ok_or(OriginError::Malformed("no port"))?;
    if port == 0 {
        return Err(OriginError::PortZero);
    }
    Ok((url, Origin { scheme, host, port }))
}

#[cfg(test)]
mod tests {
    use super::{Origin, OriginError};
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_host_are_one_origin() {
        let same = |a: &str, b: &str| assert_eq!(Origin::of(a).unwrap(), Origin::of(b).unwrap(), "{a} {b}");
        same("https://API.Example.com/v1?q#f", "https://api.example.com:443");
        same("http://127.1/", "http://2130706433:80");
        same("http://0x7f.0.0.1", "http://0177.0.0.01");
        same("http://[::FFFF:127.0.0.1]", "http://[0:0:0:0:0:ffff:7f00:1]/x");
        same("http://b\u{fc}cher.example", "http://xn--bcher-kva.example");
        same("http://ex%61mple.com", "http://example.com");
        same("http://127\u{3002}0.0.1", "http://127.0.0.1");
    }

    #[test]
    fn others_are_others() {
        let differ = |a: &str, b: &str| assert_ne!(Origin::of(a).unwrap(), Origin::of(b).unwrap(), "{a} {b}");
        differ("https://example.com", "http://example.com");
        differ("https://example.com", "https://example.com:444");
        differ("https://example.com", "https://example.com.");
        differ("https://example.com", "https://api.example.com");
        differ("http://127.0.0.1", "http://localhost");
    }

    #[test]
    fn what_cannot_be_requested() {
        for (text, error) in [
            ("ftp://example.com", OriginError::Scheme),
            ("file:///etc/passwd", OriginError::Scheme),
            ("http://user@example.com", OriginError::UserInformation),
            ("http://:password@example.com", OriginError::UserInformation),
            ("http://example.com:0", OriginError::PortZero),
        ] {
            assert_eq!(Origin::of(text), Err(error), "{text}");
        }
        for text in [
            "",
            "/v1",
            "example.com",
            "http://",
            "http://a b",
            " http://a",
            "ht\ntp://a",
            "http://a\t.b",
            "http://[fe80::1%25eth0]",
            "http://1.2.3.4.5",
            "http://256.1.1.1",
            "http://a:65536",
            "http://[::1",
            "http://\0a",
        ] {
            assert!(matches!(Origin::of(text), Err(OriginError::Malformed(_))), "{text:?} {:?}", Origin::of(text));
        }
    }

    #[test]
    fn an_origin_has_nothing_after_it() {
        assert!("https://example.com/".parse::<Origin>().is_ok());
        for text in ["https://example.com/v1", "https://example.com?q", "https://example.com#f"] {
            assert_eq!(text.parse::<Origin>(), Err(OriginError::NotAnOrigin), "{text}");
        }
    }

    #[test]
    fn displays_as_it_parses() {
        for text in ["https://example.com", "http://example.com:8080", "https://[::1]:8443", "http://10.0.0.1"] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_display_round_trips(text in "(http|https|ftp)?:?/?/?\\PC{0,40}") {
            if let Ok(origin) = Origin::of(&text) {
                prop_assert_eq!(origin.to_string().parse::<Origin>(), Ok(origin));
            }
        }
    }
}
