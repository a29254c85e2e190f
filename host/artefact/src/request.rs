//! What is asked for, and the answer.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use semver::Version;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Egress, Integrity, Platform, Product, Runner, npm};

/// A value and what it came from, for example a path and `COPILOT_CLI_PATH`, so that a user can be told which won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Flag, variable or configuration key.
    pub from: String,
}

impl<T> Given<T> {
    /// A value and its source.
    pub fn new(value: T, from: impl Into<String>) -> Self {
        Self { value, from: from.into() }
    }
}

/// Everything that decides where a program comes from. The order of finding is the order of the fields: explicit path,
/// path from the environment, cache, override address, npm registry, release.
#[derive(Clone)]
pub struct Request {
    /// The program.
    pub product: Product,
    /// Its version. Has no say over the two paths.
    pub version: Version,
    /// The machine.
    pub platform: Platform,
    /// A path given for this call: a flag or a configuration key.
    pub explicit_path: Option<Given<PathBuf>>,
    /// A path from the caller's environment (`COPILOT_CLI_PATH`).
    pub environment_path: Option<Given<PathBuf>>,
    /// Root of the cache. Packages lie in `<cache>/sidecars/<product>/<version>-<platform>/package/`.
    pub cache_dir: PathBuf,
    /// An archive's address that goes before the registry (`GITHUB_COPILOT_CLI_URL`).
    pub override_url: Option<Given<Url>>,
    /// npm's configuration; `None` leaves the registry out.
    pub npm: Option<npm::Inputs>,
    /// Whether the product's release archives may be used in the end. They are checked against the release's own sums,
    /// not against a pin: an npm package and a release archive of one version have different digests.
    pub allow_release: bool,
    /// Where releases are, instead of the product's own place. Without TLS, loopback excepted, only with a digest given.
    pub release_base: Option<Url>,
    /// The digest the archive must have. Goes before pins and metadata, whatever the source.
    pub integrity: Option<Integrity>,
    /// Whether an archive from the override address may be used although nothing says what it must hash to.
    pub allow_unverified: bool,
    /// No network at all.
    pub offline: bool,
    /// Proxy and roots for the override address and for releases. The registry uses npm's.
    pub egress: Egress,
    /// Runs `<path> --version` for a bare path with no `package.json` beside it. `None` leaves such versions unknown.
    pub runner: Option<Arc<dyn Runner>>,
    /// Bounds.
    pub limits: Limits,
}

impl Request {
    /// The default version of a product for one machine, from the cache or the registry of `npm`.
    pub fn new(product: Product, platform: Platform, cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            version: product.default_version.clone(),
            product,
            platform,
            explicit_path: None,
            environment_path: None,
            cache_dir: cache_dir.into(),
            override_url: None,
            npm: None,
            allow_release: true,
            release_base: None,
            integrity: None,
            allow_unverified: false,
            offline: false,
            egress: Egress::default(),
            runner: None,
            limits: Limits::default(),
        }
    }

    /// Product, version and platform, for messages.
    pub(crate) fn what(&self) -> String {
        format!("{} {} for {}", self.product.name, self.version, self.platform)
    }

    /// The digest that is fixed before anybody is asked.
    pub(crate) fn fixed_integrity(&self) -> Option<(Integrity, Verified)> {
        let pin = || self.product.pin(&self.version, self.platform);
        self.integrity.map(|digest| (digest, Verified::Given)).or_else(|| pin().map(|digest| (digest, Verified::Pin)))
    }
}

/// Bounds of one download. Every number has its reason; none is reached by a package seen so far.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest archive in bytes. 512 MiB: the largest package seen is 147 MB.
    pub archive_bytes: u64,
    /// Largest sum of unpacked bytes, padding and headers included. 512 MiB: the largest package seen has 299 MB.
    pub unpacked_bytes: u64,
    /// Largest single file. 384 MiB: twice the largest seen (197 MB).
    pub file_bytes: u64,
    /// Most entries. 4,096: the largest package seen has some hundreds.
    pub entries: usize,
    /// Most unpacked bytes per archive byte. 200: real packages have 1.5 to 4; a bomb has 1,000.
    pub ratio: u64,
    /// Largest answer about a package. 16 MiB: all versions of one package were some 100 KB.
    pub metadata_bytes: u64,
    /// Wait for a connection: 30 s, three SYN retries.
    pub connect: Duration,
    /// Wait for an answer's head or for the next bytes: 30 s, far beyond any stall a user would sit out.
    pub between_bytes: Duration,
    /// The whole download of one archive: 30 minutes, 130 MB at 72 KB/s.
    pub whole_download: Duration,
    /// The whole answer about a package: one minute.
    pub whole_metadata: Duration,
    /// Wait for another process that downloads the same: 5 minutes, then the user should know.
    pub lock: Duration,
    /// Pause before the second attempt: half a second, enough for a load balancer to pick another node.
    pub retry_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 512 << 20,
            unpacked_bytes: 512 << 20,
            file_bytes: 384 << 20,
            entries: 4096,
            ratio: 200,
            metadata_bytes: 16 << 20,
            connect: Duration::from_secs(30),
            between_bytes: Duration::from_secs(30),
            whole_download: Duration::from_secs(30 * 60),
            whole_metadata: Duration::from_secs(60),
            lock: Duration::from_secs(5 * 60),
            retry_pause: Duration::from_millis(500),
        }
    }
}

/// What made sure that the program is the publisher's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verified {
    /// A digest fixed in this library.
    Pin,
    /// A digest the caller gave.
    Given,
    /// The digest in the registry's metadata.
    Metadata,
    /// The release's list of sums.
    ReleaseSums,
    /// Nothing: the user's own path, or an override address with verification waived.
    Nothing,
}

/// Where a program was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A path somebody named.
    Path {
        /// Flag, variable or configuration key.
        named_by: String,
    },
    /// The cache.
    Cache,
    /// The override address, just downloaded.
    Override {
        /// Flag, variable or configuration key.
        named_by: String,
    },
    /// The npm registry, just downloaded.
    Registry {
        /// The registry.
        url: String,
    },
    /// The release, just downloaded.
    Release {
        /// The release's place.
        url: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { named_by } => write!(f, "path from {named_by}"),
            Self::Cache => f.write_str("cache"),
            Self::Override { named_by } => write!(f, "address from {named_by}"),
            Self::Registry { url } => write!(f, "registry {url}"),
            Self::Release { url } => write!(f, "release {url}"),
        }
    }
}

/// A program that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The program's file.
    pub path: PathBuf,
    /// Its version, if it could be told.
    pub version: Option<Version>,
    /// Where it was found.
    pub origin: Origin,
    /// What made sure that it is the publisher's.
    pub verified: Verified,
    /// The digest of the program's own file, where it lies in the cache.
    pub digest: Option<Integrity>,
    /// The licence text that came with it.
    pub license: Option<PathBuf>,
}

/// Answer of [`locate`](crate::locate).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// It is here.
    Found(Located),
    /// It is not here; [`obtain`](crate::obtain) would have to fetch it.
    NotFound {
        /// Where the cache would have it.
        expected: PathBuf,
        /// What is wrong with what lies there, if something does.
        damaged: Option<String>,
    },
}

/// What [`obtain`](crate::obtain) is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Another process downloads the same; its result will be used.
    Waiting,
    /// Bytes of the archive so far, and all of them if the server said how many.
    Downloading {
        /// So far.
        bytes: u64,
        /// In the end.
        total: Option<u64>,
    },
    /// The archive has the right digest and is being unpacked.
    Unpacking,
    /// The package is in the cache.
    Published,
}
