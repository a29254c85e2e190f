//! Files that a child leaves behind.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::platform;

/// Opens a file that a child may have left at `path`, to be read. Whoever reads it may reach more than the child, so no
/// link at the end of the path is followed; and the child may have put something else there, so nothing but a file is
/// opened, and no writer is waited for. The directories before it must not be the child's to replace.
///
/// # Errors
///
/// What the system says; [`InvalidInput`](io::ErrorKind::InvalidInput) for what is no file.
pub fn open_left_behind(path: &Path) -> io::Result<File> {
    let file = platform::open_without_following(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}
