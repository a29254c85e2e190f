//! Messages framed by a `Content-Length` header, as the Language Server Protocol does it.
//!
//! Both sides are bounded: a length is refused before memory is set aside for it, and what stands between frames may
//! only be so much.

mod decode;
mod encode;
mod error;
mod header;

pub use decode::{Decoder, Junk};
pub use encode::{Secrets, UnknownSecret, encode};
pub use error::FrameError;

/// How much a peer may make us hold. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One header block. 8 KiB is what HTTP servers take as a whole head; ours has one line of 30 bytes.
    pub header: usize,
    /// One body. 16 MiB is four times the largest event seen (a snapshot of a 1 MiB conversation, repeated).
    pub body: usize,
    /// What may stand between two frames before the stream is given up: some lines of a careless program.
    pub junk: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header: 8 * 1024, body: 16 * 1024 * 1024, junk: 8 * 1024 }
    }
}
