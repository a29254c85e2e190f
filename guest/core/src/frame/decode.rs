//! Bytes in any cut to frame bodies.

use super::error::{FrameError, excerpt};
use super::{Limits, header};

/// How much is set aside for a body before its bytes arrive: an announced length alone must not cost memory.
const FIRST_RESERVE: usize = 64 * 1024;

/// Bytes between frames that were skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Junk {
    /// How many.
    pub bytes: usize,
    /// The beginning, escaped.
    pub excerpt: String,
}

/// What the decoder is in the middle of.
#[derive(Debug)]
enum State {
    /// Before a frame; `held` is the line so far.
    Between,
    /// In a header block; `held` is the line so far.
    Header { length: Option<usize>, read: usize },
    /// In a body of `need` bytes; `held` is the body so far.
    Body { need: usize },
    /// `held` is a body that was handed out and goes at the next call.
    Delivered,
    /// After an error: nothing more comes.
    Broken,
}

/// An incremental decoder. A body that arrives whole is borrowed from the input; only cut ones are copied.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    state: State,
    held: Vec<u8>,
    junk: Vec<u8>,
    junk_bytes: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Between, held: Vec::new(), junk: Vec::new(), junk_bytes: 0 }
    }

    /// The next body, taken off the front of `input`; `None` when more bytes are needed, with `input` used up.
    ///
    /// # Errors
    /// When the stream breaks the framing. Nothing can be read after that: further calls give `None`.
    #[inline]
    pub fn next<'d, 'i: 'd>(&'d mut self, input: &mut &'i [u8]) -> Result<Option<&'d [u8]>, FrameError> {
        if matches!(self.state, State::Delivered) {
            self.held.clear();
            self.state = State::Between;
        }
        if matches!(self.state, State::Between)
            && self.held.is_empty()
            && let Some((number, start)) = header::usual(input)
        {
            return self.whole(input, number, start);
        }
        match self.step(input) {
            Ok(true) => Ok(Some(&self.held)),
            Ok(false) => Ok(None),
            Err(error) => Err(self.give_up(input, error)),
        }
    }

    /// What stood between frames since the last call, if anything.
    pub fn take_junk(&mut self) -> Option<Junk> {
        let bytes = std::mem::take(&mut self.junk_bytes);
        let junk = std::mem::take(&mut self.junk);
        (bytes > 0).then(|| Junk { bytes, excerpt: excerpt(&junk) })
    }

    /// Tells whether the stream may end here.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] within a frame.
    pub fn end(&self) -> Result<(), FrameError> {
        match self.state {
            State::Header { .. } => Err(FrameError::Truncated { have: 0, need: 0 }),
            State::Body { need } => Err(FrameError::Truncated { have: self.held.len(), need }),
            State::Between if !self.held.is_empty() && header::block_start(&self.held) == Some(0) => {
                Err(FrameError::Truncated { have: 0, need: 0 })
            }
            State::Between | State::Delivered | State::Broken => Ok(()),
        }
    }

    fn give_up(&mut self, input: &mut &[u8], error: FrameError) -> FrameError {
        *input = &[];
        self.held = Vec::new();
        self.state = State::Broken;
        error
    }

    /// A frame whose header is whole and usual: no copy when the body is there too.
    #[inline]
    fn whole<'d, 'i: 'd>(
        &'d mut self,
        input: &mut &'i [u8],
        number: &[u8],
        start: usize,
    ) -> Result<Option<&'d [u8]>, FrameError> {
        let need = match header::length(number, self.limits.body) {
            Ok(need) => need,
            Err(error) => return Err(self.give_up(input, error)),
        };
        let all: &'i [u8] = input;
        let (_, after) = all.split_at_checked(start).unwrap_or_default();
        if let Some((body, rest)) = after.split_at_checked(need) {
            *input = rest;
            return Ok(Some(body));
        }
        self.begin_body(need);
        *input = after;
        Ok(self.fill(input, need).then_some(self.held.as_slice()))
    }

    fn begin_body(&mut self, need: usize) {
        self.held.clear();
        self.held.reserve(need.min(FIRST_RESERVE));
        self.state = State::Body { need };
    }

    /// Takes bytes of the body; true when it is whole.
    fn fill(&mut self, input: &mut &[u8], need: usize) -> bool {
        let missing = need.saturating_sub(self.held.len()).min(input.len());
        let (part, rest) = input.split_at_checked(missing).unwrap_or_default();
        self.held.extend_from_slice(part);
        *input = rest;
        let whole = self.held.len() >= need;
        if whole {
            self.state = State::Delivered;
        }
        whole
    }

    /// Goes on until a body is whole or the input is used up.
    fn step(&mut self, input: &mut &[u8]) -> Result<bool, FrameError> {
        loop {
            match self.state {
                State::Broken => {
                    *input = &[];
                    return Ok(false);
                }
                State::Body { need } => return Ok(self.fill(input, need)),
                State::Delivered | State::Between | State::Header { .. } => {
                    if !self.take_line(input)? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Takes a line off the input and acts on it; false when the line is not whole yet.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<bool, FrameError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (part, rest) = input.split_at_checked(end.map_or(input.len(), |at| at + 1)).unwrap_or_default();
        self.check_room(part)?;
        self.held.extend_from_slice(part);
        *input = rest;
        if end.is_none() {
            return Ok(false);
        }
        let mut line = std::mem::take(&mut self.held);
        self.on_line(&line)?;
        if matches!(self.state, State::Between | State::Header { .. }) {
            line.clear();
            self.held = line;
        }
        Ok(true)
    }

    fn check_room(&self, part: &[u8]) -> Result<(), FrameError> {
        let length = self.held.len().saturating_add(part.len());
        match self.state {
            State::Header { read, .. } if read.saturating_add(length) > self.limits.header => {
                Err(FrameError::HeaderTooLong { limit: self.limits.header })
            }
            State::Between if self.junk_bytes.saturating_add(length) > self.limits.junk => {
                let mut all = self.junk.clone();
                all.extend_from_slice(&self.held);
                all.extend_from_slice(part.get(..self.limits.junk).unwrap_or(part));
                Err(FrameError::Junk { limit: self.limits.junk, excerpt: excerpt(&all) })
            }
            _ => Ok(()),
        }
    }

    fn on_line(&mut self, line: &[u8]) -> Result<(), FrameError> {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        match self.state {
            State::Header { length, read } => self.header_line(content, length, read + line.len()),
            _ => match header::block_start(content) {
                Some(at) => {
                    let (junk, head) = content.split_at_checked(at).unwrap_or_default();
                    self.note_junk(junk);
                    self.header_line(head, None, line.len())
                }
                None => {
                    self.note_junk(line);
                    Ok(())
                }
            },
        }
    }

    fn header_line(&mut self, line: &[u8], length: Option<usize>, read: usize) -> Result<(), FrameError> {
        if line.is_empty() {
            let need = length.ok_or(FrameError::MissingLength)?;
            self.begin_body(need);
            return Ok(());
        }
        let told = header::line(line, self.limits.body)?;
        if told.is_some() && length.is_some() {
            return Err(FrameError::DuplicateLength);
        }
        self.state = State::Header { length: told.or(length), read };
        Ok(())
    }

    fn note_junk(&mut self, bytes: &[u8]) {
        self.junk_bytes = self.junk_bytes.saturating_add(bytes.len());
        self.junk.extend_from_slice(bytes);
    }
}
