//! Which rule an archive breaks.

use std::io;

/// Which rule an archive breaks. `Display` says it in one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackProblem {
    /// A name that is absolute, leads out, is not UTF-8, or means different things on different systems.
    #[error("the entry name {name} {rule}")]
    Name {
        /// The name, escaped and cut off.
        name: String,
        /// The rule.
        rule: &'static str,
    },
    /// Neither a regular file nor a directory.
    #[error("it contains a {kind}")]
    Kind {
        /// Link, device and so on.
        kind: &'static str,
    },
    /// A name that was there before, as a file or, for a file, as a directory. Case does not count.
    #[error("it contains {path} twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// A PAX header that changes a size.
    #[error("a PAX header changes the size of an entry")]
    PaxSize,
    /// An extension header beyond [`MAX_EXTENSION`](super::MAX_EXTENSION).
    #[error("an extension header has {size} bytes")]
    LongExtension {
        /// Its size in bytes.
        size: u64,
    },
    /// More entries than allowed.
    #[error("it has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// A file beyond the limit.
    #[error("{path} has more than {limit} bytes")]
    LargeFile {
        /// The path.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// More bytes than allowed in all.
    #[error("it unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// More unpacked than packed bytes by more than the allowed factor.
    #[error("it unpacks to more than {ratio} times its size")]
    Ratio {
        /// The factor.
        ratio: u64,
    },
    /// Not a gzip or tar stream, or a damaged one.
    #[error("it is damaged: {problem}")]
    Malformed {
        /// What is wrong.
        problem: String,
    },
    /// The caller asked to stop.
    #[error("unpacking was stopped")]
    Stopped,
    /// The disk.
    #[error("cannot unpack: {0}")]
    Io(io::Error),
}

impl From<io::Error> for UnpackProblem {
    /// Readers of gzip and tar report damage as plain errors with no operating system's number.
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::Io(error),
            None => Self::Malformed { problem: error.to_string().replace(['\r', '\n'], " ") },
        }
    }
}
