//! The last bytes of a child's standard error.

use std::collections::VecDeque;

/// The last `limit` bytes of what was pushed. Never holds more, and nothing until the first push.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes: VecDeque<u8>,
    limit: usize,
    /// Bytes were dropped, so the first line may be half a line.
    cut: bool,
}

impl Ring {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit, cut: false }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        let kept = chunk.split_at(chunk.len().saturating_sub(self.limit)).1;
        let excess = (self.bytes.len() + kept.len()).saturating_sub(self.limit);
        self.cut |= excess > 0 || kept.len() < chunk.len();
        self.bytes.drain(..excess);
        self.bytes.extend(kept);
    }

    /// The bytes for a person: from a line's start, invalid UTF-8 replaced, and whatever could move a terminal's cursor
    /// or reorder a line written as `\u{..}`.
    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().skip(self.first_line()).collect();
        let mut text = String::with_capacity(bytes.len());
        for c in String::from_utf8_lossy(&bytes).chars() {
            if is_harmless(c) {
                text.push(c);
            } else {
                text.extend(c.escape_unicode());
            }
        }
        text
    }

    fn first_line(&self) -> usize {
        if !self.cut {
            return 0;
        }
        // One endless line is shown from wherever it was cut.
        self.bytes.iter().position(|&b| b == b'\n').map_or(0, |at| at + 1)
    }
}

/// Not so: control characters but newline and tab, and the format characters that reorder or hide text
/// (Unicode TR 9 and TR 36).
fn is_harmless(c: char) -> bool {
    let reorders = matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    matches!(c, '\n' | '\t') || !(c.is_control() || reorders)
}

#[cfg(test)]
mod tests {
    use super::Ring;

    #[test]
    fn keeps_everything_within_the_limit() {
        let mut ring = Ring::new(16);
        ring.push(b"half a line");
        assert_eq!(ring.text(), "half a line");
    }

    #[test]
    fn keeps_whole_lines_at_the_end() {
        let mut ring = Ring::new(16);
        for n in 0..100 {
            ring.push(format!("line {n}\n").as_bytes());
        }
        assert_eq!(ring.text(), "line 98\nline 99\n".split_once('\n').map(|(_, t)| t).unwrap());
    }

    #[test]
    fn never_holds_more_than_its_limit_for_any_chunking() {
        let input: Vec<u8> = (0..5000_u32).map(|n| (n % 251) as u8).collect();
        for size in [1, 2, 7, 63, 64, 65, 4999, 5000] {
            let mut ring = Ring::new(64);
            for chunk in input.chunks(size) {
                ring.push(chunk);
                assert!(ring.bytes.len() <= 64);
            }
            assert!(ring.bytes.iter().eq(input.iter().skip(5000 - 64)), "chunks of {size}");
        }
    }

    #[test]
    fn an_endless_line_is_still_shown() {
        let mut ring = Ring::new(4);
        ring.push(b"abcdefgh");
        assert_eq!(ring.text(), "efgh");
    }

    #[test]
    fn escapes_what_moves_a_terminal() {
        let mut ring = Ring::new(100);
        ring.push(b"a\x1b[2Jb\r\n\xff\0\tc");
        ring.push("\u{202e}d".as_bytes());
        assert_eq!(ring.text(), "a\\u{1b}[2Jb\\u{d}\n\u{fffd}\\u{0}\tc\\u{202e}d");
    }

    #[test]
    fn a_limit_of_nothing_keeps_nothing() {
        let mut ring = Ring::new(0);
        ring.push(b"abc\n");
        assert_eq!(ring.text(), "");
    }
}
