//! A response on its way to the CLI: one part at a time, because the CLI takes requests up side by side and would put
//! parts that come together in any order (seen with 1.0.102). What comes in meanwhile goes out as one.

use super::requests::Refusal;
use crate::wire::inference::Headers;
use base64::Engine as _;
use std::borrow::Cow;

/// Bytes in one part: a frame that the CLI reads in a millisecond.
const PART: usize = 256 << 10;

/// A response as far as the CLI has not taken it.
#[derive(Debug, Default)]
pub(super) struct Answer {
    head: Option<Head>,
    body: Vec<u8>,
    ending: Option<Ending>,
    /// The CLI was given a part and has not said that it has it.
    in_flight: bool,
}

/// Status and headers.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Headers,
}

/// How a response ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// It is complete.
    Complete,
    /// There is no more of it.
    Failed(Refusal),
}

/// What the CLI is given next.
#[derive(Debug)]
pub(super) enum Part {
    Head(Head),
    Body { data: String, binary: bool, ending: Option<Ending> },
}

impl Answer {
    pub(super) fn head(&mut self, head: Head) {
        self.head = Some(head);
    }

    pub(super) fn more(&mut self, data: &[u8]) {
        self.body.extend_from_slice(data);
    }

    /// No more comes in.
    pub(super) fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// Bytes that wait.
    pub(super) fn held(&self) -> usize {
        self.body.len()
    }

    /// Whether the endpoint is done with it.
    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    /// The CLI has the last part.
    pub(super) fn taken(&mut self) {
        self.in_flight = false;
    }

    /// The next part, if the CLI has taken the last one and there is something to give.
    pub(super) fn next(&mut self) -> Option<Part> {
        if self.in_flight {
            return None;
        }
        let part = match self.head.take() {
            Some(head) => Part::Head(head),
            None => self.piece()?,
        };
        self.in_flight = true;
        Some(part)
    }

    fn piece(&mut self) -> Option<Part> {
        let rest = self.body.split_off(self.body.len().min(PART));
        let mut piece = std::mem::replace(&mut self.body, rest);
        if self.body.is_empty() && self.ending.is_none() {
            // A character that is not complete waits for its other half.
            let cut = incomplete(&piece);
            self.body = piece.split_off(piece.len() - cut);
        }
        let ending = if self.body.is_empty() { self.ending.clone() } else { None };
        if piece.is_empty() && ending.is_none() {
            return None;
        }
        let (data, binary) = match String::from_utf8(piece) {
            Ok(text) => (text, false),
            Err(bytes) => (base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes()), true),
        };
        Some(Part::Body { data, binary, ending })
    }
}

/// How many bytes at the end begin a character and do not end it.
fn incomplete(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.len() - error.valid_up_to(),
        _ => 0,
    }
}

impl Ending {
    /// Message and code of a failure.
    pub(super) fn failure(&self) -> Option<(Cow<'_, str>, &'static str)> {
        match self {
            Self::Complete => None,
            Self::Failed(refusal) => Some((Cow::Borrowed(&refusal.message), refusal.code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives bytes in pieces and takes parts after some of them; what was given, put together.
    fn through(pieces: &[Vec<u8>], takes: &[bool]) -> Vec<u8> {
        let (mut answer, mut out, mut ended) = (Answer::default(), Vec::new(), false);
        let mut take = |answer: &mut Answer| {
            let Some(Part::Body { data, binary, ending }) = answer.next() else { return false };
            assert!(!ended, "nothing comes after the end");
            let bytes = base64::engine::general_purpose::STANDARD.decode(&data);
            out.extend(if binary { bytes.unwrap() } else { data.into_bytes() });
            ended = ending.is_some();
            assert!(answer.next().is_none(), "one at a time");
            answer.taken();
            true
        };
        for (at, piece) in pieces.iter().enumerate() {
            answer.more(piece);
            if takes.get(at).copied().unwrap_or(false) {
                take(&mut answer);
            }
        }
        answer.end(Ending::Complete);
        while take(&mut answer) {
            if answer.held() == 0 && answer.has_ended() && ended_now(&answer) {
                break;
            }
        }
        out
    }

    fn ended_now(answer: &Answer) -> bool {
        answer.body.is_empty()
    }

    proptest! {
        #[test]
        fn every_byte_comes_once_and_in_order(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
            takes in prop::collection::vec(any::<bool>(), 12),
        ) {
            prop_assert_eq!(through(&pieces, &takes), pieces.concat());
        }
    }

    #[test]
    fn the_head_comes_first_and_a_cut_character_waits() {
        let mut answer = Answer::default();
        answer.more(&"h\u{e9}\u{1f600}".as_bytes()[..4]);
        answer.head(Head { status: 200, headers: Headers::new() });
        assert!(matches!(answer.next(), Some(Part::Head(Head { status: 200, .. }))));
        assert!(answer.next().is_none());
        answer.taken();
        assert!(matches!(answer.next(), Some(Part::Body { data, binary: false, ending: None }) if data == "h\u{e9}"));
        answer.taken();
        assert!(answer.next().is_none(), "three bytes are missing");
        answer.more(&"\u{1f600}".as_bytes()[1..]);
        answer.end(Ending::Complete);
        assert!(matches!(answer.next(), Some(Part::Body { data, ending: Some(_), .. }) if data == "\u{1f600}"));
    }
}
