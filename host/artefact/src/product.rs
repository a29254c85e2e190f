//! What is known about a program before any network is asked.

use semver::Version;

use crate::pins::{self, Pin};
use crate::{Integrity, Platform};

/// A program that is published as npm platform packages and as release archives.
#[derive(Debug, Clone)]
pub struct Product {
    /// Name of the sidecar and of its directory in the cache, for example `copilot-cli`.
    pub name: &'static str,
    /// npm scope, with the `@`; also the key of a scoped registry (`@github:registry`).
    pub scope: &'static str,
    /// Package name within the scope, before the platform, for example `copilot-`.
    pub package_prefix: &'static str,
    /// File name of the program within the package, without `.exe`.
    pub program: &'static str,
    /// The version that is fetched when nobody asks for another one.
    pub default_version: Version,
    /// Older ones are refused: they speak another protocol.
    pub minimum_version: Version,
    /// Digests known at build time.
    pub pins: &'static [Pin],
    /// Where releases are, up to and including the `v` before the version. An archive is `<base><version>/<asset>`.
    pub release_base: &'static str,
    /// The release's file of SHA-256 sums.
    pub release_sums: &'static str,
}

/// GitHub Copilot CLI.
///
/// The portable core of its protocol starts at 1.0.2; version facts are in the protocol document, sections 8 and 9.
pub const COPILOT_CLI: Product = Product {
    name: "copilot-cli",
    scope: "@github",
    package_prefix: "copilot-",
    program: "copilot",
    default_version: Version::new(1, 0, 102),
    minimum_version: Version::new(1, 0, 2),
    pins: pins::COPILOT_CLI,
    release_base: "https://github.com/github/copilot-cli/releases/download/v",
    release_sums: "SHA256SUMS.txt",
};

impl Product {
    /// The package's name within the scope, for example `copilot-linux-x64`.
    pub fn package(&self, platform: Platform) -> String {
        format!("{}{platform}", self.package_prefix)
    }

    /// The package's full name, for example `@github/copilot-linux-x64`.
    pub fn full_package(&self, platform: Platform) -> String {
        format!("{}/{}", self.scope, self.package(platform))
    }

    /// The digest this build of the library knows for a package, if it knows one. A row that cannot be read (a test
    /// keeps them readable) becomes a digest nothing has, rather than no digest: it must not open the door.
    pub fn pin(&self, version: &Version, platform: Platform) -> Option<Integrity> {
        let wanted = version.to_string();
        self.pins
            .iter()
            .find(|pin| pin.version == wanted && pin.platform == platform.name())
            .map(|pin| pin.integrity.parse().unwrap_or(Integrity::Sha512([0; 64])))
    }
}
