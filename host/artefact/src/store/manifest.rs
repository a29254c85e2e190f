//! The note that lies beside a published package.

use std::fs::Metadata;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::{Integrity, Verified};

pub(super) const FILE: &str = "manifest.json";

/// Changes when a reader of the old form would misread the new one; other forms count as damaged and are replaced.
pub(super) const FORMAT: u32 = 1;

/// What was published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(super) format: u32,
    pub(super) product: String,
    pub(super) version: String,
    pub(super) platform: String,
    pub(super) verified: Verified,
    /// Where the archive came from, fit to be shown.
    pub(super) from: String,
    /// `sha512-...` and `sha256-...` of the archive.
    pub(super) archive: [String; 2],
    pub(super) program: Program,
    /// Every file, the program too.
    pub(super) files: Vec<FileSize>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) path: String,
    /// Hexadecimal.
    pub(super) sha256: String,
    pub(super) modified: Option<Modified>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileSize {
    pub(super) path: String,
    pub(super) size: u64,
}

/// Time of last change since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Modified {
    seconds: u64,
    nanoseconds: u32,
}

impl Modified {
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() })
    }
}

impl Manifest {
    pub(super) fn has_digest(&self, integrity: Integrity) -> bool {
        self.archive.contains(&integrity.to_string())
    }
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
