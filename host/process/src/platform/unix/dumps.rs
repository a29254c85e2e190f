//! No core files of the calling process.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Makes a crash of the calling process leave no core file, which would hold the secrets that are in its memory, and its
/// children's neither. For programs that hold secrets: it changes the whole process, so a library must not call it, and it
/// cannot be taken back.
///
/// Where the system pipes cores to a program (`core_pattern` with `|`), that program decides for itself.
///
/// # Errors
///
/// The system's.
pub fn forbid_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}
