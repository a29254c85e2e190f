//! From a staging directory to the cache.
//!
//! Order, and what a kill after each step leaves:
//! 1. archive, then tree, in the staging directory: a stale staging directory; the next holder of the lock removes it
//! 2. archive removed, manifest written, everything synced: the same
//! 3. a damaged old tree moved into the staging directory: no tree, which is a plain miss
//! 4. the new tree renamed to its place: done
//!
//! So a reader sees the old tree, none, or the whole new one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::manifest::{FILE, FORMAT, FileSize, Manifest, Modified, Program, hex};
use super::{Lock, Slot, State, cache_error};
use crate::fetch::Received;
use crate::unpack::UnpackedFile;
use crate::{Error, Located, Request, Verified};

/// A directory of one download, in the cache's own file system. Dropping it removes it, then frees the lock.
#[derive(Debug)]
pub(crate) struct Staging {
    dir: TempDir,
    _lock: Lock,
}

/// A tree that went through every check but is not published yet.
pub(crate) struct Unpacked {
    pub(crate) files: Vec<UnpackedFile>,
    pub(crate) received: Received,
    pub(crate) verified: Verified,
}

impl Staging {
    pub(crate) fn archive(&self) -> PathBuf {
        self.dir.path().join("archive.tgz")
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }
}

impl Slot {
    pub(crate) fn stage(&self, lock: &Lock) -> Result<Staging, Error> {
        let dir = tempfile::Builder::new().prefix(&self.staging_prefix()).tempdir_in(&self.parent);
        let staging = Staging { dir: dir.map_err(cache_error("create", &self.parent))?, _lock: lock.clone() };
        let tree = staging.tree();
        fs::create_dir(&tree).map_err(cache_error("create", &tree))?;
        Ok(staging)
    }

    /// Puts a tree in its place. Reads and writes the disk: not for the async side.
    pub(crate) fn publish(
        &self,
        staging: &Staging,
        unpacked: &Unpacked,
        request: &Request,
    ) -> Result<Box<Located>, Error> {
        let (staged, target) = (staging.tree(), self.tree());
        let archive = staging.archive();
        fs::remove_file(&archive).map_err(cache_error("remove", &archive))?;
        write_manifest(&staged, &manifest(&staged, unpacked, request)?)?;
        sync_directories(&staged, &unpacked.files)?;
        match self.check(request)? {
            // Only if somebody works around the lock. What is good stays.
            State::Good(winner) => return Ok(winner),
            State::Damaged(reason) => {
                tracing::warn!(path = %target.display(), reason, "replacing what was in the cache");
                let old = staging.dir.path().join("old");
                fs::rename(&target, old).map_err(cache_error("replace", &target))?;
            }
            State::Absent => {}
        }
        fs::rename(&staged, &target).map_err(cache_error("publish", &target))?;
        sync_directory(&self.parent)?;
        match self.check(request)? {
            State::Good(located) => Ok(located),
            State::Absent | State::Damaged(_) => {
                let changed = std::io::Error::other("it was changed while it was being published");
                Err(cache_error("publish", &target)(changed))
            }
        }
    }
}

fn manifest(staged: &Path, unpacked: &Unpacked, request: &Request) -> Result<Manifest, Error> {
    let path = format!("package/{}", request.platform.program_file(request.product.program));
    let file = staged.join(&path);
    let metadata = fs::symlink_metadata(&file).map_err(cache_error("read", &file))?;
    let digest = unpacked.files.iter().find(|file| file.path == path).and_then(|file| file.sha256).unwrap_or_default();
    let Unpacked { files, received, verified } = unpacked;
    Ok(Manifest {
        format: FORMAT,
        product: request.product.name.to_owned(),
        version: request.version.to_string(),
        platform: request.platform.to_string(),
        verified: *verified,
        from: received.url.clone(),
        archive: [received.sha512.to_string(), received.sha256.to_string()],
        program: Program { path, sha256: hex(&digest), modified: Modified::of(&metadata) },
        files: files.iter().map(|file| FileSize { path: file.path.clone(), size: file.size }).collect(),
    })
}

fn write_manifest(staged: &Path, manifest: &Manifest) -> Result<(), Error> {
    let path = staged.join(FILE);
    let write = || {
        let mut file = File::create_new(&path)?;
        file.write_all(&serde_json::to_vec_pretty(manifest)?)?;
        file.sync_all()
    };
    write().map_err(cache_error("write", &path))
}

/// Files were synced when they were written; their names live in the directories.
fn sync_directories(staged: &Path, files: &[UnpackedFile]) -> Result<(), Error> {
    let mut directories: Vec<PathBuf> = files
        .iter()
        .flat_map(|file| Path::new(&file.path).ancestors().skip(1).map(|dir| staged.join(dir)).collect::<Vec<_>>())
        .collect();
    directories.push(staged.to_owned());
    directories.sort();
    directories.dedup();
    directories.iter().try_for_each(|dir| sync_directory(dir))
}

/// Windows cannot open directories as files, and its file systems journal names.
fn sync_directory(dir: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(cache_error("sync", dir))?;
    }
    Ok(())
}
