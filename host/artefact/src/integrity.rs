//! Digests in npm's notation.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The expected or observed digest of an archive.
///
/// Text form: `sha512-<base64>` or `sha256-<base64>` (Subresource Integrity, what npm writes in `dist.integrity`).
/// SHA-1 is not accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// SHA-512: npm packages.
    Sha512([u8; 64]),
    /// SHA-256: release archives.
    Sha256([u8; 32]),
}

/// The text is not a usable digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sha512 or sha256 digest: {0:?}")]
pub struct InvalidIntegrity(String);

impl Integrity {
    /// Reads 64 hexadecimal digits, the form of `SHA256SUMS` files.
    ///
    /// # Errors
    /// [`InvalidIntegrity`] for anything else.
    pub fn from_sha256_hex(text: &str) -> Result<Self, InvalidIntegrity> {
        decode_hex(text).map(Self::Sha256).ok_or_else(|| InvalidIntegrity(shorten(text)))
    }
}

fn decode_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// A bad value comes from outside; an error line must stay a line.
fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}

impl FromStr for Integrity {
    type Err = InvalidIntegrity;

    /// Takes the strongest digest of a list, ignores `?options`.
    fn from_str(text: &str) -> Result<Self, InvalidIntegrity> {
        let invalid = || InvalidIntegrity(shorten(text));
        let mut weaker = None;
        for item in text.split_ascii_whitespace() {
            let Some((algorithm, value)) = item.split_once('-') else { continue };
            let value = value.split('?').next().unwrap_or(value);
            match algorithm {
                "sha512" => return exact(value).map(Self::Sha512).ok_or_else(invalid),
                "sha256" => weaker = Some(exact(value).map(Self::Sha256).ok_or_else(invalid)?),
                _ => {}
            }
        }
        weaker.ok_or_else(invalid)
    }
}

fn exact<const N: usize>(base64: &str) -> Option<[u8; N]> {
    STANDARD.decode(base64).ok()?.try_into().ok()
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha512(digest) => write!(f, "sha512-{}", STANDARD.encode(digest)),
            Self::Sha256(digest) => write!(f, "sha256-{}", STANDARD.encode(digest)),
        }
    }
}

impl fmt::Debug for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for digest in [Integrity::Sha512([7; 64]), Integrity::Sha256([9; 32])] {
            assert_eq!(digest.to_string().parse(), Ok(digest));
        }
    }

    #[test]
    fn the_strongest_of_a_list_is_taken() {
        let (weak, strong) = (Integrity::Sha256([1; 32]), Integrity::Sha512([2; 64]));
        assert_eq!(format!("sha1-abc {weak} {strong}?x").parse(), Ok(strong));
    }

    #[test]
    fn others_are_refused() {
        for text in ["", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-AAAA", "sha512-", "md5-x", "sha256-!!", "plain"] {
            assert!(text.parse::<Integrity>().is_err(), "{text}");
        }
    }

    #[test]
    fn hexadecimal_sums() {
        assert_eq!(Integrity::from_sha256_hex(&"0a".repeat(32)), Ok(Integrity::Sha256([10; 32])));
        for text in ["", "0a", &"g".repeat(64), &"é".repeat(32)] {
            assert!(Integrity::from_sha256_hex(text).is_err());
        }
    }
}
