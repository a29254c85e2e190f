//! Masks secrets in what flows back from the outside.
//!
//! The mask has the length of the secret: the peer's framing counts bytes, and stays valid.

use crate::secret::Secrets;
use std::ops::Range;
use zeroize::Zeroizing;

/// Shorter values are not looked for: they would be found everywhere. No provider hands out such keys.
const SHORTEST: usize = 6;

/// Masks secrets in a stream of bytes, also where one is cut in two, or lies in another.
#[derive(Clone, Default)]
pub(crate) struct Scrubber {
    forms: Vec<Zeroizing<String>>,
    /// The end of what came so far, as it came, when it may be the beginning of a secret.
    held: Zeroizing<Vec<u8>>,
    /// How many bytes at its beginning belong to a secret that began before them.
    covered: usize,
}

impl Scrubber {
    pub(crate) fn new(secrets: &Secrets) -> Self {
        let forms = secrets.forms().into_iter().filter(|form| form.len() >= SHORTEST).collect();
        Self { forms, ..Self::default() }
    }

    /// Takes more of the stream and gives back what is certain.
    pub(crate) fn stream(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.forms.is_empty() {
            return bytes;
        }
        if !self.held.is_empty() {
            bytes.splice(0..0, self.held.drain(..));
        }
        let found = self.found(&bytes, self.covered);
        let certain = bytes.len().saturating_sub(self.uncertain(&bytes));
        self.held.extend(bytes.drain(certain..));
        self.covered = found.iter().map(|place| place.end.saturating_sub(certain)).max().unwrap_or(0);
        mask(&mut bytes, found);
        bytes
    }

    /// What was held back when the stream ended.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut *self.held);
        let covered = std::mem::take(&mut self.covered);
        let found = self.found(&bytes, covered);
        mask(&mut bytes, found);
        bytes
    }

    /// Masks secrets in a whole text.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let found = self.found(&bytes, 0);
        mask(&mut bytes, found);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where secrets are, all of them: they may overlap. The first `covered` bytes are the rest of one.
    fn found(&self, bytes: &[u8], covered: usize) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = std::iter::once(0..covered).collect();
        for form in &self.forms {
            let finder = memchr::memmem::Finder::new(form.as_bytes());
            let mut from = 0;
            while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
                let start = from + at;
                found.push(start..start + form.len());
                from = start + 1;
            }
        }
        found
    }

    /// How many bytes at the end may be the beginning of a secret.
    fn uncertain(&self, bytes: &[u8]) -> usize {
        let longest = self.forms.iter().map(|form| form.len()).max().unwrap_or(0).saturating_sub(1);
        let begins =
            |tail: &[u8]| self.forms.iter().any(|form| form.len() > tail.len() && form.as_bytes().starts_with(tail));
        (1..=longest.min(bytes.len()))
            .rev()
            .find(|length| bytes.len().checked_sub(*length).and_then(|start| bytes.get(start..)).is_some_and(begins))
            .unwrap_or(0)
    }
}

/// What lies beyond the end is left for later.
fn mask(bytes: &mut [u8], found: Vec<Range<usize>>) {
    let length = bytes.len();
    for place in found {
        if let Some(secret) = bytes.get_mut(place.start.min(length)..place.end.min(length)) {
            secret.fill(b'*');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Secret, SecretGrant};
    use std::collections::BTreeMap;

    fn scrubber(values: &[&str]) -> Scrubber {
        let grant = |value: &&str| SecretGrant { value: Secret::new(*value), destinations: Vec::new() };
        let named = values.iter().enumerate().map(|(at, value)| (at.to_string(), grant(value)));
        Scrubber::new(&Secrets::new(named.collect::<BTreeMap<_, _>>()))
    }

    /// What comes of a text that arrives in these pieces.
    fn streamed(scrubber: &mut Scrubber, pieces: &[&[u8]]) -> String {
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| scrubber.stream(piece.to_vec())).collect();
        out.extend(scrubber.finish());
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_secret_is_masked_wherever_the_stream_is_cut() {
        let text = b"x canary-77 y canary-7 canary-77";
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            let out = streamed(&mut scrubber(&["canary-77"]), &[head, tail]);
            assert_eq!(out, "x ********* y canary-7 *********", "cut at {cut}");
        }
    }

    #[test]
    fn a_secret_within_another_leaves_nothing_of_it() {
        let values = ["robot-77", "robot-77:hunter22", "hunter22-x"];
        let text = "a robot-77:hunter22-x b robot-77 c robot-77";
        let masked = format!("a {} b {} c {}", "*".repeat(19), "*".repeat(8), "*".repeat(8));
        assert_eq!(scrubber(&values).text(text), masked);
        for cut in 0..=text.len() {
            let (head, tail) = text.as_bytes().split_at(cut);
            assert_eq!(streamed(&mut scrubber(&values), &[head, tail]), masked, "cut at {cut}");
        }
    }

    proptest::proptest! {
        /// Secrets that overlap themselves and each other, in any pieces: as masked as the whole text.
        #[test]
        fn pieces_are_masked_as_the_whole(text in "[ab]{0,60}", cuts in proptest::collection::vec(0_usize..60, 0..6)) {
            let values = ["ababab", "bababa", "abababbab", "aabaab"];
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            let streamed = streamed(&mut scrubber(&values), &pieces);
            proptest::prop_assert_eq!(&streamed, &scrubber(&values).text(&text));
            for value in values {
                proptest::prop_assert!(!streamed.contains(value));
            }
        }
    }
}
