//! Server-sent events, bounded and incremental, as the WHATWG standard reads them: any chunking, any of the three line
//! ends, a byte-order mark at the beginning, comments.
//!
//! Names and data count; `id` and `retry` are for clients that reconnect, which must not happen with a model's answer.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name; empty when it has none.
    pub name: String,
    /// Its data, lines joined with line feeds. Bytes that are not UTF-8 are replaced.
    pub data: String,
}

/// The stream has an event that is larger than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream has more than {limit} bytes")]
pub struct TooLarge {
    /// The most bytes an event may have.
    pub limit: usize,
}

/// The most bytes of an event, and so of a line: sixteen times the longest text that models write, of which 128,000
/// tokens are half a mebibyte. The last event of a Responses stream repeats the whole answer, the arguments of its calls
/// included, in JSON, where a character may take six bytes.
pub const EVENT_LIMIT: usize = 8 * 1024 * 1024;

/// Takes a stream apart.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The line that has no end yet.
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// A carriage return was the last byte: a line feed now belongs to it.
    after_return: bool,
    /// No line has been read yet: there may be a byte-order mark.
    at_start: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(EVENT_LIMIT)
    }
}

impl Decoder {
    /// A decoder for events of at most so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), event: Event::default(), has_data: false, after_return: false, at_start: true }
    }

    /// Takes more of the stream and appends the events that are complete.
    ///
    /// # Errors
    /// When an event is too large. The decoder is of no use after that.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), TooLarge> {
        let mut rest = bytes;
        if self.after_return && !rest.is_empty() {
            self.after_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            let (line, more) = rest.split_at(end);
            self.keep(line)?;
            let line = std::mem::take(&mut self.line);
            self.take_line(&line, out)?;
            self.line = line;
            self.line.clear();
            rest = match more.strip_prefix(b"\r") {
                Some([]) => {
                    self.after_return = true;
                    &[]
                }
                Some(after) => after.strip_prefix(b"\n").unwrap_or(after),
                None => more.get(1..).unwrap_or_default(),
            };
        }
        self.keep(rest)
    }

    /// The stream has ended. The standard drops an event that no blank line ends; some servers leave that line out of their
    /// last event, so it is given here and whoever reads it decides.
    ///
    /// # Errors
    /// When it is too large.
    pub fn finish(mut self) -> Result<Option<Event>, TooLarge> {
        let line = std::mem::take(&mut self.line);
        let mut out = Vec::new();
        self.take_line(&line, &mut out)?;
        self.dispatch(&mut out);
        Ok(out.pop())
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), TooLarge> {
        if self.line.len().saturating_add(part.len()) > self.limit {
            return Err(TooLarge { limit: self.limit });
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<Event>) -> Result<(), TooLarge> {
        let mut line = line;
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(out);
            return Ok(());
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, b"".as_slice()),
        };
        match field {
            b"data" => self.data(value)?,
            b"event" => self.event.name = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        Ok(())
    }

    fn data(&mut self, value: &[u8]) -> Result<(), TooLarge> {
        if self.event.data.len().saturating_add(value.len()) >= self.limit {
            return Err(TooLarge { limit: self.limit });
        }
        if self.has_data {
            self.event.data.push('\n');
        }
        self.has_data = true;
        self.event.data.push_str(&String::from_utf8_lossy(value));
        Ok(())
    }

    /// An event without data is none, and its name is forgotten.
    fn dispatch(&mut self, out: &mut Vec<Event>) {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) {
            out.push(event);
        }
    }
}
