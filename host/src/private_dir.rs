//! Directories that only their owner can enter.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

/// Refuses a directory that others may write to: what lies there is trusted as one's own.
pub(crate) fn refuse_shared(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if std::fs::metadata(path)?.permissions().mode() & 0o022 != 0 {
            let why = "others may write to it (hint: chmod go-w)";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
    }
    Ok(())
}

/// Makes a directory with its parents, of mode 0700 where the platform has modes. One that exists is left as it is.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}
