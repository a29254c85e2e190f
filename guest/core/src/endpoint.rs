//! Where an HTTP service is and what opens its door: the parts of a configuration that are the same for every dialect.

use crate::classify::{Failure, Fault};
use llm_provider_guest::http::Header;
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretInfo, SecretRef};
use serde::Deserialize;

/// A secret by name, written `{"secret": NAME}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretName {
    /// The name, as the tenant's policy has it.
    pub secret: String,
}

/// A header's value: plain text, or a secret as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    /// Plain text.
    Text(String),
    /// A secret.
    Secret(SecretName),
}

impl SecretName {
    /// Checks that the policy grants it. `key` is where it stands in the configuration.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, key: &str, granted: &[SecretInfo]) -> Result<(), Failure> {
        ensure(granted.iter().any(|info| info.name == self.secret), || {
            format!("`{key}` names the secret `{}`, which is not granted to this plugin", self.secret.escape_debug())
        })
    }

    /// A header with this secret after a prefix such as `Bearer `; none when it is empty.
    #[must_use]
    pub fn header(&self, name: &str, prefix: &str) -> Header {
        let prefix = (!prefix.is_empty()).then(|| Chunk::Bytes(prefix.as_bytes().to_vec()));
        let secret = Chunk::Secret(SecretRef { name: self.secret.clone(), encoding: SecretEncoding::Raw });
        Header { name: name.to_owned(), value: prefix.into_iter().chain([secret]).collect() }
    }
}

impl HeaderValue {
    /// Checks it. `key` is where it stands in the configuration.
    ///
    /// # Errors
    /// When it cannot be a header's value, or is a secret that is not granted.
    pub fn check(&self, key: &str, granted: &[SecretInfo]) -> Result<(), Failure> {
        match self {
            Self::Text(text) => header_text(key, text),
            Self::Secret(secret) => secret.check(key, granted),
        }
    }

    /// The header.
    #[must_use]
    pub fn header(&self, name: &str) -> Header {
        match self {
            Self::Text(text) => plain_header(name, text),
            Self::Secret(secret) => secret.header(name, ""),
        }
    }
}

/// A header of plain text.
#[must_use]
pub fn plain_header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: vec![Chunk::Bytes(value.as_bytes().to_vec())] }
}

/// Checks the name of a header. `key` is where it stands in the configuration.
///
/// # Errors
/// When it is no name of a header.
pub fn header_name(key: &str, name: &str) -> Result<(), Failure> {
    let token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    ensure(token, || format!("`{key}` has a name that is no header's: `{}`", name.escape_debug()))
}

/// Checks the text of a header. `key` is where it stands in the configuration.
///
/// # Errors
/// When it has a control character.
pub fn header_text(key: &str, text: &str) -> Result<(), Failure> {
    ensure(!text.chars().any(char::is_control), || format!("`{key}` has a control character in its value"))
}

/// Checks the address of a service and gives it without slashes at its end. `key` is where it stands in the
/// configuration.
///
/// # Errors
/// When it is not an absolute http or https address, or has user information, a query or a fragment.
pub fn base_url<'a>(key: &str, url: &'a str) -> Result<&'a str, Failure> {
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\".contains(&byte));
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).filter(|_| plain);
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    ensure(!host.is_empty() && !host.contains('@'), || {
        format!(
            "`{key}` must be an http or https address, without user, query and fragment, not `{}`",
            url.escape_debug()
        )
    })?;
    Ok(url.trim_end_matches('/'))
}

/// Text as one segment of a path, or as a value in a query: everything but the unreserved characters of RFC 3986 in
/// percent signs.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Fails as an invalid configuration unless something holds.
///
/// # Errors
/// When it does not.
pub fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::of(Fault::Invalid, message())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_absolute_and_plain() {
        for (url, want) in [
            ("https://api.example", Some("https://api.example")),
            ("https://api.example/v1/", Some("https://api.example/v1")),
            ("http://127.0.0.1:8080/a/v1", Some("http://127.0.0.1:8080/a/v1")),
            ("ftp://api.example", None),
            ("https://", None),
            ("https:///v1", None),
            ("https://user:pass@api.example", None),
            ("https://api.example/v1?x=1", None),
            ("https://api.example/v1#x", None),
            ("https://api.example/ v1", None),
            ("api.example/v1", None),
            ("", None),
        ] {
            assert_eq!(base_url("base-url", url).ok(), want, "{url}");
        }
    }

    #[test]
    fn what_is_not_unreserved_is_encoded() {
        assert_eq!(percent_encoded("a-1.5_~/é&b c"), "a-1.5_~%2F%C3%A9%26b%20c");
    }

    #[test]
    fn secrets_must_be_granted_and_texts_be_plain() {
        let granted = [SecretInfo { name: "key".into(), raw_length: 3, json_length: 3 }];
        let value = |json: &str| serde_json::from_str::<HeaderValue>(json).unwrap();
        assert!(value(r#"{"secret":"key"}"#).check("headers.a", &granted).is_ok());
        let failure = value(r#"{"secret":"other"}"#).check("headers.a", &granted).unwrap_err();
        assert_eq!(failure.message, "`headers.a` names the secret `other`, which is not granted to this plugin");
        assert!(value(r#""a\nb""#).check("headers.a", &granted).is_err());
        assert!(value(r#""a b""#).check("headers.a", &granted).is_ok());
        assert!(header_name("headers", "x-a").is_ok());
        assert!(header_name("headers", "x a").is_err());
        assert!(header_name("headers", "").is_err());
    }
}
