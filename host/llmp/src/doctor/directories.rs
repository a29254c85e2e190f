//! The two directories: there, writable, how large.

use super::page::{Page, size};
use crate::config::{From, Resolved};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Most entries that are counted. 100,000: an unpacked CLI has some thousand; a home directory given by mistake must not
/// take minutes.
const MOST_ENTRIES: usize = 100_000;

pub(super) fn write(resolved: &Resolved, page: &mut Page) {
    page.heading("directories");
    for (name, setting, directory) in
        [("cache", "LLMP_CACHE_DIR", &resolved.cache_dir), ("data", "LLMP_DATA_DIR", &resolved.data_dir)]
    {
        let state = match writable(&directory.value) {
            Ok(true) => format!("writable, {}", used(&directory.value)),
            Ok(false) => "not there yet, can be made".to_owned(),
            Err(error) => {
                let message = format!("the {name} directory {} cannot be written: {error}", directory.value.display());
                page.error(&message, Some(&format!("make it writable, or set {setting} to another directory")));
                "cannot be written".to_owned()
            }
        };
        page.line(name, &line(directory, &state));
    }
    let compiled = resolved.cache_dir.value.join("compiled");
    page.line("compiled plugins", &if compiled.is_dir() { used(&compiled) } else { "none yet".to_owned() });
}

fn line(directory: &From<PathBuf>, state: &str) -> String {
    format!("{} ({}), {state}", directory.value.display(), directory.from)
}

/// Whether the directory is there; an error when files cannot be made in it, or it cannot be made itself. Tried, because
/// permissions, read-only mounts and quotas have no common sign.
fn writable(directory: &Path) -> io::Result<bool> {
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => try_write(directory).map(|()| true),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = directory.ancestors().skip(1).find(|path| path.exists());
            let above = above.ok_or(io::ErrorKind::NotFound)?;
            if !above.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            try_write(above).map(|()| false)
        }
        Err(error) => Err(error),
    }
}

fn try_write(directory: &Path) -> io::Result<()> {
    let probe = directory.join(format!(".llmp-doctor-{}", std::process::id()));
    fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    fs::remove_file(&probe)
}

/// How much is in a directory. Links are not followed.
fn used(directory: &Path) -> String {
    let (mut waiting, mut bytes, mut entries) = (vec![directory.to_owned()], 0_u64, 0_usize);
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            entries += 1;
            if entries > MOST_ENTRIES {
                return format!("more than {}", size(bytes));
            }
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => waiting.push(entry.path()),
                Ok(metadata) => bytes = bytes.saturating_add(metadata.len()),
                Err(_) => {}
            }
        }
    }
    size(bytes)
}
