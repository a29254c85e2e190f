//! The cache: where packages lie, how one is checked, locked and replaced.
//!
//! ```text
//! <cache>/sidecars/copilot-cli/1.0.102-linux-x64/package/copilot
//!                              1.0.102-linux-x64/manifest.json
//!                              1.0.102-linux-x64.lock
//!                              .staging-1.0.102-linux-x64-<random>/{archive.tgz,tree/}
//! ```

mod check;
mod lock;
mod manifest;
mod publish;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use check::State;
pub use lock::Lock;
pub(crate) use publish::{Staging, Unpacked};

use crate::{Error, Request};

/// The place of one version for one platform.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Directory of the product.
    parent: PathBuf,
    /// `<version>-<platform>`. Both consist of characters that are safe in file names.
    key: String,
}

impl Slot {
    pub(crate) fn of(request: &Request) -> Self {
        let parent = request.cache_dir.join("sidecars").join(request.product.name);
        Self { parent, key: format!("{}-{}", request.version, request.platform) }
    }

    /// The published tree.
    fn tree(&self) -> PathBuf {
        self.parent.join(&self.key)
    }

    fn lock_file(&self) -> PathBuf {
        self.parent.join(format!("{}.lock", self.key))
    }

    fn staging_prefix(&self) -> String {
        format!(".staging-{}-", self.key)
    }

    /// The program's path, whether it is there or not.
    pub(crate) fn program(&self, request: &Request) -> PathBuf {
        self.tree().join("package").join(request.platform.program_file(request.product.program))
    }
}

fn cache_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Cache { action, path: path.to_owned(), source }
}
