//! Whether what lies in the cache can be used.
//!
//! At every use: the manifest fits the request, every file is there with its size, and the program has the time of last
//! change it was published with. That costs a handful of `stat` calls (microseconds) and finds what happens by accident:
//! cut off copies, deleted files, a package overwritten by something else. When only the time differs (a cache that was
//! copied without times), the program is hashed. Somebody who may write to the cache on purpose can rewrite manifest and
//! program alike; hashing 200 MB at every start would not keep them out, file permissions do.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::manifest::{FILE, FORMAT, Manifest, Modified, hex};
use super::{Slot, cache_error};
use crate::{Error, Integrity, Located, Origin, Request, Verified};

/// Largest manifest: 1 MiB is 4,096 entries of 250 bytes.
const MAX_MANIFEST: u64 = 1 << 20;

/// Names a licence text goes by.
const LICENSES: [&str; 4] = ["package/LICENSE.md", "package/LICENSE", "package/LICENSE.txt", "package/license"];

/// What lies in the cache.
#[derive(Debug)]
pub(crate) enum State {
    Good(Box<Located>),
    Absent,
    /// Something is there that cannot be used, and why.
    Damaged(String),
}

impl Slot {
    /// Reads the disk: not for the async side.
    pub(crate) fn check(&self, request: &Request) -> Result<State, Error> {
        let tree = self.tree();
        let manifest = tree.join(FILE);
        let text = match read_text(&manifest) {
            Ok(text) => text,
            Err(error) if missing(&error) => {
                return Ok(if tree.exists() { damaged("it has no manifest") } else { State::Absent });
            }
            Err(error) if error.raw_os_error().is_none() => return Ok(damaged("its manifest is not a text")),
            Err(error) => return Err(cache_error("read", &manifest)(error)),
        };
        let Ok(manifest) = serde_json::from_str::<Manifest>(&text) else {
            return Ok(damaged("its manifest is damaged"));
        };
        if let Some(reason) = unfit(&manifest, request).or_else(|| broken(&manifest, &tree)) {
            return Ok(State::Damaged(reason));
        }
        Ok(State::Good(Box::new(located(&manifest, &tree, request))))
    }
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn damaged(reason: &str) -> State {
    State::Damaged(reason.to_owned())
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_MANIFEST).read_to_string(&mut text)?;
    Ok(text)
}

fn located(manifest: &Manifest, tree: &Path, request: &Request) -> Located {
    let license = LICENSES.iter().find(|name| manifest.files.iter().any(|file| file.path == **name));
    Located {
        path: tree.join(&manifest.program.path),
        version: Some(request.version.clone()),
        origin: Origin::Cache,
        verified: manifest.verified,
        digest: Integrity::from_sha256_hex(&manifest.program.sha256).ok(),
        license: license.map(|name| tree.join(name)),
    }
}

/// Another package than the one asked for, or one that today's rules would not let in.
fn unfit(manifest: &Manifest, request: &Request) -> Option<String> {
    let program = format!("package/{}", request.platform.program_file(request.product.program));
    let identity = [&manifest.product, &manifest.version, &manifest.platform, &manifest.program.path];
    let wanted =
        [request.product.name, &request.version.to_string(), request.platform.name(), &program].map(str::to_owned);
    if manifest.format != FORMAT || identity.into_iter().ne(wanted.iter()) {
        return Some("its manifest is of something else".to_owned());
    }
    let release = manifest.verified == Verified::ReleaseSums && request.allow_release && request.integrity.is_none();
    match request.fixed_integrity() {
        Some((digest, _)) if !release && !manifest.has_digest(digest) => {
            Some("its archive had another digest".to_owned())
        }
        None if manifest.verified == Verified::Nothing && !request.allow_unverified => {
            Some("it was never verified".to_owned())
        }
        _ => None,
    }
}

fn broken(manifest: &Manifest, tree: &Path) -> Option<String> {
    for file in &manifest.files {
        match fs::symlink_metadata(tree.join(&file.path)) {
            Ok(found) if found.is_file() && found.len() == file.size => {}
            Ok(_) => return Some(format!("{} has changed", file.path)),
            Err(_) => return Some(format!("{} cannot be read", file.path)),
        }
    }
    if !manifest.files.iter().any(|file| file.path == manifest.program.path) {
        return Some("its manifest is damaged".to_owned());
    }
    let program = tree.join(&manifest.program.path);
    let metadata = fs::symlink_metadata(&program).ok()?;
    if !crate::program_version::is_executable(&metadata) {
        return Some(format!("{} is not executable", manifest.program.path));
    }
    if manifest.program.modified.is_some() && manifest.program.modified == Modified::of(&metadata) {
        return None;
    }
    let same = hash(&program).is_ok_and(|digest| hex(&digest) == manifest.program.sha256);
    (!same).then(|| format!("{} has changed", manifest.program.path))
}

fn hash(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut sha256 = Sha256::new();
    let mut block = vec![0; 128 << 10];
    loop {
        let read = file.read(&mut block)?;
        match block.get(..read).filter(|part| !part.is_empty()) {
            Some(part) => sha256.update(part),
            None => return Ok(sha256.finalize().into()),
        }
    }
}
