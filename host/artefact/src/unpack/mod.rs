//! Unpacks an archive from outside, by rule.
//!
//! Only regular files and directories, below one directory, under names that mean the same on every file system. What
//! the `tar` crate would do by itself (links, devices, owners, times, extended attributes, long names of any length) is
//! switched off by reading raw entries: memory is bounded by [`MAX_EXTENSION`], disk by [`Limits`].

mod entry_path;
mod limited;
mod problem;

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType, PaxExtensions};

use entry_path::EntryPath;
use limited::Limited;
pub use problem::UnpackProblem;

use crate::Limits;

/// Largest extension header (PAX, GNU long name): 64 KiB; a path has at most 1,024 bytes.
pub const MAX_EXTENSION: u64 = 64 << 10;

/// Read and write size: large enough that system calls do not show.
const BLOCK: usize = 128 << 10;

/// How an archive is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Everything lies below `package/`, as npm packs it.
    Package,
    /// Files lie at the top, as in releases. They are put below `package/`.
    Bare,
}

/// A file that was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackedFile {
    /// Path below the destination, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the content, for the path that was asked for.
    pub sha256: Option<[u8; 32]>,
}

/// Unpacks a `.tar.gz` into an empty directory that nobody else writes to. `program` is the path whose content is hashed
/// on the way; `stop` ends the work early.
///
/// Files get mode 0755 or 0644 (less the process's umask), executable if the archive says so for anybody; the program
/// always is (packages made on Windows have no such bit).
///
/// # Errors
/// [`UnpackProblem`]. What was written until then stays: the caller owns the directory and drops it.
pub fn unpack(
    archive: &Path,
    into: &Path,
    layout: Layout,
    program: &str,
    limits: &Limits,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<UnpackedFile>, UnpackProblem> {
    let file = File::open(archive)?;
    let packed = file.metadata()?.len();
    let reader = GzDecoder::new(BufReader::with_capacity(BLOCK, file));
    let mut limited = Limited::new(reader, packed, limits);
    let mut tree = Tree { into, layout, program, limits, directories: HashSet::new(), files: HashSet::new() };
    let result = entries(&mut limited, &mut tree, stop);
    // The limit shows up as a read error somewhere inside; say what it was.
    match limited.passed.take() {
        Some(problem) => Err(problem),
        None => result,
    }
}

fn entries(
    limited: &mut Limited<impl Read>,
    tree: &mut Tree<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<UnpackedFile>, UnpackProblem> {
    let mut unpacked = Vec::new();
    let mut long_name = None;
    let mut archive = Archive::new(&mut *limited);
    for (index, entry) in archive.entries()?.raw(true).enumerate() {
        if index >= tree.limits.entries {
            return Err(UnpackProblem::TooManyEntries { limit: tree.limits.entries });
        }
        if stop() {
            return Err(UnpackProblem::Stopped);
        }
        let mut entry = entry?;
        match entry.header().entry_type() {
            EntryType::XHeader => long_name = pax_path(&mut entry)?.or(long_name),
            EntryType::GNULongName => long_name = Some(long_path(&mut entry)?),
            EntryType::XGlobalHeader => drop(extension(&mut entry)?),
            kind => {
                let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                unpacked.extend(tree.entry(&name, kind, &mut entry)?);
            }
        }
    }
    if long_name.is_some() {
        return Err(UnpackProblem::Malformed { problem: "a long name without its entry".to_owned() });
    }
    // To the end of the gzip stream, so that its checksum is looked at.
    io::copy(limited, &mut io::sink())?;
    Ok(unpacked)
}

fn extension(entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>, UnpackProblem> {
    let size = entry.size();
    if size > MAX_EXTENSION {
        return Err(UnpackProblem::LongExtension { size });
    }
    let mut data = Vec::new();
    entry.read_to_end(&mut data)?;
    if data.len() as u64 != size {
        return Err(UnpackProblem::Malformed { problem: "a cut off extension".to_owned() });
    }
    Ok(data)
}

/// The `path` of a PAX header. A header that changes a size or makes a sparse file is refused: then the sizes that were
/// counted would not be the ones another reader sees.
fn pax_path(entry: &mut Entry<'_, impl Read>) -> Result<Option<Vec<u8>>, UnpackProblem> {
    let data = extension(entry)?;
    let mut path = None;
    for record in PaxExtensions::new(&data) {
        let record = record?;
        match record.key_bytes() {
            b"path" => path = Some(record.value_bytes().to_vec()),
            b"size" => return Err(UnpackProblem::PaxSize),
            key if key.starts_with(b"GNU.sparse") => return Err(UnpackProblem::Kind { kind: "sparse file" }),
            _ => {}
        }
    }
    Ok(path)
}

fn long_path(entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>, UnpackProblem> {
    let mut name = extension(entry)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// The directory that is filled, and what is in it so far.
struct Tree<'a> {
    into: &'a Path,
    layout: Layout,
    program: &'a str,
    limits: &'a Limits,
    /// Folded paths: two names that differ in case are one file on macOS and Windows.
    directories: HashSet<String>,
    files: HashSet<String>,
}

impl Tree<'_> {
    fn entry(
        &mut self,
        name: &[u8],
        kind: EntryType,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<Option<UnpackedFile>, UnpackProblem> {
        match kind {
            EntryType::Directory => {
                if let Some(path) = EntryPath::directory(name, self.layout)? {
                    self.claim_directory(&path)?;
                }
                Ok(None)
            }
            EntryType::Regular => {
                let path = EntryPath::file(name, self.layout)?;
                self.claim_file(&path)?;
                self.file(&path, entry).map(Some)
            }
            other => Err(UnpackProblem::Kind { kind: kind_name(other) }),
        }
    }

    fn claim_directory(&mut self, path: &EntryPath) -> Result<(), UnpackProblem> {
        for ancestor in path.with_ancestors() {
            let folded = ancestor.to_lowercase();
            if self.files.contains(&folded) {
                return Err(UnpackProblem::Duplicate { path: ancestor.to_owned() });
            }
            if self.directories.insert(folded) {
                create_dir(&self.into.join(ancestor))?;
            }
        }
        Ok(())
    }

    fn claim_file(&mut self, path: &EntryPath) -> Result<(), UnpackProblem> {
        if let Some(parent) = path.parent() {
            self.claim_directory(&parent)?;
        }
        let folded = path.as_str().to_lowercase();
        if self.directories.contains(&folded) || !self.files.insert(folded) {
            return Err(UnpackProblem::Duplicate { path: path.as_str().to_owned() });
        }
        Ok(())
    }

    fn file(&self, path: &EntryPath, entry: &mut Entry<'_, impl Read>) -> Result<UnpackedFile, UnpackProblem> {
        let size = entry.size();
        if size > self.limits.file_bytes {
            return Err(UnpackProblem::LargeFile { path: path.as_str().to_owned(), limit: self.limits.file_bytes });
        }
        let is_program = path.as_str() == self.program;
        let executable = is_program || entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        let mut file = create_file(&self.into.join(path.as_str()), executable)?;
        let mut hash = is_program.then(Sha256::new);
        let copied = copy(entry, &mut file, hash.as_mut())?;
        if copied != size {
            return Err(UnpackProblem::Malformed { problem: format!("{} is cut off", path.as_str()) });
        }
        file.sync_all()?;
        let sha256 = hash.map(|hash| hash.finalize().into());
        Ok(UnpackedFile { path: path.as_str().to_owned(), size, sha256 })
    }
}

fn copy(from: &mut impl Read, to: &mut File, mut hash: Option<&mut Sha256>) -> io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut copied = 0;
    loop {
        let read = from.read(&mut block)?;
        let Some(part) = block.get(..read).filter(|part| !part.is_empty()) else { return Ok(copied) };
        if let Some(hash) = hash.as_deref_mut() {
            hash.update(part);
        }
        to.write_all(part)?;
        copied += read as u64;
    }
}

fn kind_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "symbolic link",
        EntryType::Link => "hard link",
        EntryType::Char | EntryType::Block => "device",
        EntryType::Fifo => "pipe",
        EntryType::GNUSparse => "sparse file",
        EntryType::GNULongLink => "long link name",
        _ => "entry of unknown kind",
    }
}

/// `create_new` follows no link and overwrites nothing.
fn create_file(path: &PathBuf, executable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if executable { 0o755 } else { 0o644 });
    #[cfg(not(unix))]
    let _ = executable;
    options.open(path)
}

fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.create(path)
}
