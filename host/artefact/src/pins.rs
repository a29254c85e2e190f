//! Digests of packages, fixed when this library is built.
//!
//! A pinned digest is what decides: no registry, mirror, proxy or project file can replace the program of a pinned
//! version. To move to another version, add its rows here in a reviewed change.
//! Origin of the 1.0.102 rows: `dist.integrity` of the registry, read with `npm view` for each platform (the protocol
//! document, section 9, misses a character of win32-x64); linux-x64 also hashed by hand.

/// The digest of one package.
#[derive(Debug, Clone, Copy)]
pub struct Pin {
    /// Version of the package.
    pub version: &'static str,
    /// Platform name, for example `linux-x64`.
    pub platform: &'static str,
    /// `sha512-<base64>` of the package's .tgz, as npm writes it.
    pub integrity: &'static str,
}

const fn pin(version: &'static str, platform: &'static str, integrity: &'static str) -> Pin {
    Pin { version, platform, integrity }
}

/// GitHub Copilot CLI.
#[rustfmt::skip]
pub const COPILOT_CLI: &[Pin] = &[
    pin("1.0.102", "linux-x64", "sha512-eGHPbsP0p2QgfVZCjtbGBFZPBOJQ0DN7xIbBRAo7oG8b1zfLirQIdfI4h8Iy68Dv2cKJGJZg2/EO7W7KpIMJOw=="),
    pin("1.0.102", "linux-arm64", "sha512-5rO0B2/AduCekrE+aUzipySKZxZY2b/tVRZ8Suy8ymPFNC0Q7HQiQ8DZhxj+3RhHR8rU2Z8KOJVAbtMlROX6+A=="),
    pin("1.0.102", "linuxmusl-x64", "sha512-laj1/lFWwkX7P1jAVm2DNNxRljLkhfKI4XDONIA5njiU+PPvWVH38gIvYU+lNTgJ0QT7CSV6Jj2fuqPx0Go+5Q=="),
    pin("1.0.102", "linuxmusl-arm64", "sha512-PyuqTcgTKd4XrtSRKAQgfIK41cVzHArSNM8f8XS39dQc75aUsKG+MPd5rLwmqqhtbWVFgI+PSS/X18/Qo4EDTg=="),
    pin("1.0.102", "darwin-x64", "sha512-n4jBdS+QxrXWiQ9v9tUBZUcJ0hlWVG75Qs3Gzo25BRzlWQSSd5eCNrfOVf4Cr95mAK/L54dne+8rSwASNRG7qA=="),
    pin("1.0.102", "darwin-arm64", "sha512-M4Jwxvw9CzxQUVoAz4UFbwFw9SpjUXbMzD481ifFJ+o/GXYJy5+sYxWRSfGhPA9e/w4DlWxdpkSQFnagl/AYbA=="),
    pin("1.0.102", "win32-x64", "sha512-ShdlICQu/Ei0mRX5J/ioaWUm7Kt6TpUvyQFuhFhS+Vb/7VVDi4/6pJAjcETeUJCHe9lkhF25swzcZXsun/i9Hg=="),
    pin("1.0.102", "win32-arm64", "sha512-QhbEEfrAri+TA/S+xpUbOpWrzxfmQj5Ncgn6YF6SoI9zLdF57yt6Bd9sVAxWfsmmI0F2wmlQOHQ+s+7EjXQWgQ=="),
];

#[cfg(test)]
mod tests {
    use super::COPILOT_CLI;
    use crate::{Integrity, Platform};

    #[test]
    fn every_row_is_a_digest_of_a_known_platform_and_no_two_are_alike() {
        let mut seen = std::collections::BTreeSet::new();
        for row in COPILOT_CLI {
            row.platform.parse::<Platform>().unwrap();
            assert!(matches!(row.integrity.parse(), Ok(Integrity::Sha512(_))), "{}", row.platform);
            assert!(seen.insert(row.integrity));
        }
        assert_eq!(seen.len(), 8);
    }
}
