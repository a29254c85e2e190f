//! Directories that only their owner can enter.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

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
