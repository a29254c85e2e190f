//! What can be wrong with a stream of frames.

/// Why a stream of frames cannot be read on. Excerpts are escaped and short.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A header block passed its limit.
    #[error("a frame's header is longer than {limit} bytes")]
    HeaderTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line within a header block is no header.
    #[error("a line in a frame's header is no header: {excerpt}")]
    BadHeader {
        /// The line.
        excerpt: String,
    },
    /// The header block ended without a `Content-Length`.
    #[error("a frame's header has no Content-Length")]
    MissingLength,
    /// The header block has more than one `Content-Length`.
    #[error("a frame's header has more than one Content-Length")]
    DuplicateLength,
    /// The value is not a plain decimal number.
    #[error("a frame's Content-Length is not a number: {excerpt}")]
    BadLength {
        /// The value.
        excerpt: String,
    },
    /// The body would pass its limit.
    #[error("a frame announces a body over the limit of {limit} bytes: {excerpt}")]
    BodyTooLong {
        /// The limit in bytes.
        limit: usize,
        /// The value.
        excerpt: String,
    },
    /// Too much that is no frame.
    #[error("more than {limit} bytes that are no frame: {excerpt}")]
    Junk {
        /// The limit in bytes.
        limit: usize,
        /// The beginning of it.
        excerpt: String,
    },
    /// The stream ended within a frame.
    #[error("the stream ended within a frame, {have} of {need} bytes after its header")]
    Truncated {
        /// Bytes of the body that came.
        have: usize,
        /// Bytes that were announced; 0 when the header itself was cut.
        need: usize,
    },
}

/// The longest excerpt in an error, in characters of the original.
const EXCERPT: usize = 80;

/// A short, printable form of bytes from an untrusted peer.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let head = bytes.get(..EXCERPT).unwrap_or(bytes);
    let mut text = head.escape_ascii().to_string();
    if head.len() < bytes.len() {
        text.push_str("...");
    }
    text
}
