//! Bytes in any cut to lines, for peers that write one message a line.
//!
//! A line is bounded before memory is set aside for it. What stands after the last line break is a line too, once the
//! stream has ended.

/// How long a line may be, in bytes, unless a decoder is told otherwise. As long as the body of a frame (see
/// [`crate::frame::Limits`]): the same messages come in both.
pub const LONGEST: usize = 16 * 1024 * 1024;

/// A line passed its limit. Nothing can be read after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {limit} bytes")]
pub struct LineTooLong {
    /// The limit in bytes.
    pub limit: usize,
}

/// An incremental decoder. A line that arrives whole is borrowed from the input; only cut ones are copied.
#[derive(Debug)]
pub struct Lines {
    limit: usize,
    held: Vec<u8>,
    /// `held` was handed out and goes at the next call.
    delivered: bool,
    broken: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new(LONGEST)
    }
}

impl Lines {
    /// A decoder at the beginning of a stream. Lines may have `limit` bytes without their line break.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, held: Vec::new(), delivered: false, broken: false }
    }

    /// The next line without its line break, taken off the front of `input`; `None` when more bytes are needed, with
    /// `input` used up. Empty lines are lines.
    ///
    /// # Errors
    /// When a line is too long. Nothing can be read after that: further calls give `None`.
    pub fn next<'d, 'i: 'd>(&'d mut self, input: &mut &'i [u8]) -> Result<Option<&'d [u8]>, LineTooLong> {
        if std::mem::take(&mut self.delivered) {
            self.held.clear();
        }
        if self.broken {
            *input = &[];
            return Ok(None);
        }
        let all: &'i [u8] = input;
        let end = all.iter().position(|byte| *byte == b'\n');
        let (part, rest) = all.split_at_checked(end.unwrap_or(all.len())).unwrap_or_default();
        *input = rest.split_first().map_or(&[], |(_, after)| after);
        // A carriage return before a line break that has not come yet may still turn out not to count.
        let spare = usize::from(end.is_none() || part.last().or(self.held.last()) == Some(&b'\r'));
        if self.held.len().saturating_add(part.len()) > self.limit.saturating_add(spare) {
            *input = &[];
            self.held = Vec::new();
            self.broken = true;
            return Err(LineTooLong { limit: self.limit });
        }
        if end.is_some() && self.held.is_empty() {
            return Ok(Some(trimmed(part)));
        }
        self.held.extend_from_slice(part);
        self.delivered = end.is_some();
        Ok(end.is_some().then(|| trimmed(&self.held)))
    }

    /// The stream has ended: what came after the last line break, if anything.
    pub fn end(&mut self) -> Option<&[u8]> {
        if std::mem::replace(&mut self.delivered, true) {
            self.held.clear();
        }
        (!self.held.is_empty()).then(|| trimmed(&self.held))
    }
}

/// Some programs end their lines with two characters.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
