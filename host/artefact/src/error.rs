//! Why a program could not be had.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use semver::Version;

use crate::unpack::UnpackProblem;
use crate::{Integrity, Origin};

/// Why a program could not be found, fetched, verified or published.
///
/// `Display` is one line: what and where. [`Error::hint`] says what to do. Addresses are shown without user name,
/// password and query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No package exists for this machine.
    #[error("no package exists for {os} {arch}")]
    UnsupportedPlatform {
        /// Operating system.
        os: String,
        /// Processor.
        arch: String,
    },
    /// The version is older than what the product supports.
    #[error("{what} {version} is too old: the oldest supported version is {minimum}")]
    VersionTooOld {
        /// Product or path.
        what: String,
        /// The version found or asked for.
        version: Version,
        /// The product's minimum.
        minimum: Version,
    },
    /// A path that somebody named does not lead to a program.
    #[error("{path} (named by {named_by}) {problem}", path = path.display())]
    GivenPath {
        /// The path.
        path: PathBuf,
        /// What named it: a flag, a variable, a configuration key.
        named_by: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing in the cache, and the network may not be used.
    #[error("{product} {version} is not in the cache at {path} and downloads are off", path = path.display())]
    Offline {
        /// Product name.
        product: &'static str,
        /// Version looked for.
        version: Version,
        /// Where it would be.
        path: PathBuf,
    },
    /// npm's configuration names no registry and npm itself could not be asked.
    #[error("no npm registry is configured{detail}")]
    NoRegistry {
        /// Empty, or `: ` and why npm could not be asked.
        detail: String,
    },
    /// npm's configuration has a value that cannot be used.
    #[error("npm setting {key} from {from}: {problem}")]
    NpmSetting {
        /// Key of the setting.
        key: String,
        /// File or variable.
        from: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A project's file chose the registry, and no digest is known for the version.
    #[error("{from} chooses the registry {registry}, and no digest of {what} is known to check it against")]
    UntrustedRegistry {
        /// The file.
        from: String,
        /// The registry.
        registry: String,
        /// Product and version.
        what: String,
    },
    /// The digest would come over a connection that anybody can change.
    #[error("the digest of {what} would come from {url} without TLS")]
    PlainDigest {
        /// Product and version.
        what: String,
        /// Where it would come from.
        url: String,
    },
    /// Nothing says what the archive must hash to.
    #[error("no digest is known for {what} from {url}")]
    NoDigest {
        /// Product and version.
        what: String,
        /// Where the archive is.
        url: String,
    },
    /// TLS or proxy settings cannot be used.
    #[error("cannot set up the connection: {problem}")]
    ConnectionSetup {
        /// What is wrong.
        problem: String,
    },
    /// The connection failed.
    #[error("cannot read {url}: {problem}")]
    Transport {
        /// Address.
        url: String,
        /// The chain of causes.
        problem: String,
    },
    /// The server answered with something other than success.
    #[error("{url} answered HTTP {status}{}", if *.authenticated { " to a request with credentials" } else { "" })]
    Status {
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
        /// Whether credentials were sent.
        authenticated: bool,
    },
    /// A redirect that is not followed.
    #[error("{url} redirects {problem}")]
    Redirect {
        /// The address that redirected.
        url: String,
        /// Where to, or how often.
        problem: String,
    },
    /// A deadline passed.
    #[error("{url}: {what} took longer than {after:?}")]
    Deadline {
        /// Address.
        url: String,
        /// What was waited for.
        what: &'static str,
        /// The limit.
        after: Duration,
    },
    /// The answer is larger than the limit.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge {
        /// Address.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Fewer bytes came than were announced.
    #[error("{url} ended after {received} of {announced} bytes")]
    Truncated {
        /// Address.
        url: String,
        /// Bytes announced.
        announced: u64,
        /// Bytes received.
        received: u64,
    },
    /// The archive is not the expected one.
    #[error("{url} has the wrong digest: expected {expected}, got {actual}")]
    IntegrityMismatch {
        /// Where it came from.
        url: String,
        /// The digest asked for.
        expected: Box<Integrity>,
        /// The digest of what came.
        actual: Box<Integrity>,
    },
    /// The registry's description of the package cannot be used.
    #[error("{url}: {problem}")]
    Metadata {
        /// Address.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The archive breaks a rule.
    #[error("the archive from {url} is refused: {problem}")]
    Archive {
        /// Where it came from.
        url: String,
        /// The rule.
        problem: UnpackProblem,
    },
    /// The archive holds another package, another version or no program.
    #[error("the archive from {url} is not {wanted}: {found}")]
    WrongPackage {
        /// Where it came from.
        url: String,
        /// What was asked for.
        wanted: String,
        /// What is in it.
        found: String,
    },
    /// The cache cannot be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Cache {
        /// Verb: `create`, `write`, `lock` ...
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Another process holds the lock for too long.
    #[error("another process has held {path} for {after:?}", path = path.display())]
    LockTimeout {
        /// The lock file.
        path: PathBuf,
        /// How long this one waited.
        after: Duration,
    },
    /// A release has no archive that can be unpacked here.
    #[error("releases of {product} for {platform} are not in a form that can be unpacked here")]
    NoReleaseArchive {
        /// Product name.
        product: &'static str,
        /// Platform name.
        platform: &'static str,
    },
    /// Every source failed; each with its reason, in the order of trying.
    #[error("no source gave {what}: {}", list(.tried))]
    NoSource {
        /// Product, version and platform.
        what: String,
        /// Source and reason.
        tried: Vec<(Origin, Error)>,
    },
    /// The runtime is shutting down.
    #[error("interrupted while it was to {action}")]
    Interrupted {
        /// What was being done.
        action: &'static str,
    },
}

fn list(tried: &[(Origin, Error)]) -> String {
    tried.iter().map(|(origin, error)| format!("{origin}: {error}")).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// What the user can do about it, as one sentence without a full stop.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoSource { tried, .. } => return tried.iter().find_map(|(_, error)| error.hint()),
            Self::Cache { source, path, .. } => return Some(cache_hint(source, path)),
            Self::Status { status, authenticated, .. } => return status_hint(*status, *authenticated),
            Self::GivenPath { named_by, .. } => return Some(format!("correct or remove {named_by}")),
            Self::NpmSetting { key, .. } if key == "strict-ssl" => {
                "set cafile to the certificate of your proxy instead of strict-ssl=false, or name an installed program"
            }
            Self::NpmSetting { .. } => "correct the setting, `npm config list` shows where it is",
            Self::UnsupportedPlatform { .. } => "name an installed program by its path",
            Self::VersionTooOld { .. } => "ask for a newer version, or leave the version out",
            Self::Offline { .. } => "allow downloads once, or name an installed program by its path",
            Self::NoRegistry { .. } => "run `npm config set registry <url>`, or name an installed program by its path",
            Self::UntrustedRegistry { .. } => {
                "name the registry in your own npm configuration, or give the digest (sha512-...) of the version"
            }
            Self::PlainDigest { .. } | Self::NoDigest { .. } => {
                "give the digest (sha512-...) of the archive, or ask for the default version"
            }
            Self::ConnectionSetup { .. } => "check the proxy and certificate settings",
            Self::Transport { .. } | Self::Deadline { .. } | Self::Truncated { .. } => {
                "check network and proxy and try again, or name an installed program by its path"
            }
            Self::IntegrityMismatch { .. } => {
                "something between you and the publisher changed the file: check mirror and proxy; do not run it"
            }
            Self::LockTimeout { .. } => "end the other process, or use another cache directory",
            Self::NoReleaseArchive { .. } => "configure an npm registry, or name an installed program by its path",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// Whether the same request may well succeed when it is sent again at once.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Truncated { .. } | Self::IntegrityMismatch { .. } => true,
            Self::Deadline { what, .. } => *what != crate::fetch::WHOLE_DOWNLOAD,
            Self::Status { status, .. } => *status >= 500 || *status == 429 || *status == 408,
            _ => false,
        }
    }

    /// Whether the next source may be tried: this one is absent or cannot be reached. Never after something that looks
    /// like an attack (wrong digest, refused archive, downgrade), and not after an error that every source would meet.
    pub(crate) fn allows_next_source(&self) -> bool {
        matches!(
            self,
            Self::NoRegistry { .. }
                | Self::Transport { .. }
                | Self::Truncated { .. }
                | Self::Status { .. }
                | Self::Deadline { .. }
                | Self::Metadata { .. }
                | Self::UntrustedRegistry { .. }
                | Self::PlainDigest { .. }
                | Self::NoDigest { .. }
        )
    }
}

fn status_hint(status: u16, authenticated: bool) -> Option<String> {
    let hint = match (status, authenticated) {
        (401 | 403, true) => "the registry refused your credentials: log in again with `npm login`",
        (401 | 403, false) => "the registry wants credentials: add them with `npm login` or to your .npmrc",
        (404, _) => {
            "the registry does not have this package or version: ask for another version or use another registry"
        }
        (429 | 500.., _) => "the server is in trouble: try again later",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn cache_hint(source: &io::Error, path: &std::path::Path) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some disk space: a download needs about 500 MB for a moment and 200 MB for good".to_owned()
        }
        _ => format!("make {} writable, or use another cache directory", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_and_say_where() {
        let error = Error::NoSource {
            what: "copilot-cli 1.0.102 for linux-x64".into(),
            tried: vec![
                (Origin::Registry { url: "http://r/".into() }, Error::NoRegistry { detail: String::new() }),
                (
                    Origin::Release { url: "http://g/".into() },
                    Error::Status { url: "http://g/x".into(), status: 404, authenticated: false },
                ),
            ],
        };
        assert_eq!(
            error.to_string(),
            "no source gave copilot-cli 1.0.102 for linux-x64: registry http://r/: no npm registry is configured; \
             release http://g/: http://g/x answered HTTP 404"
        );
        assert!(error.hint().unwrap().contains("npm config set registry"));
    }

    #[test]
    fn a_wrong_digest_never_leads_to_another_source() {
        let digest = Box::new(Integrity::Sha512([0; 64]));
        let error = Error::IntegrityMismatch { url: "http://r/".into(), expected: digest.clone(), actual: digest };
        assert!(error.is_transient() && !error.allows_next_source());
    }
}
