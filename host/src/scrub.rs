//! Masks secrets in what flows back from the outside.
//!
//! The mask has the length of the secret: the peer's framing counts bytes, and stays valid.

use crate::secret::Secrets;
use zeroize::Zeroizing;

/// Shorter values are not looked for: they would be found everywhere. No provider hands out such keys.
const SHORTEST: usize = 6;

/// Masks secrets in a stream of bytes, also where one is cut in two.
#[derive(Clone, Default)]
pub(crate) struct Scrubber {
    forms: Vec<Zeroizing<String>>,
    /// The end of what came so far, when it may be the beginning of a secret.
    held: Vec<u8>,
}

impl Scrubber {
    pub(crate) fn new(secrets: &Secrets) -> Self {
        let forms = secrets.forms().into_iter().filter(|form| form.len() >= SHORTEST).collect();
        Self { forms, held: Vec::new() }
    }

    /// Takes more of the stream and gives back what is certain.
    pub(crate) fn stream(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.forms.is_empty() {
            return bytes;
        }
        if !self.held.is_empty() {
            bytes.splice(0..0, std::mem::take(&mut self.held));
        }
        self.mask(&mut bytes);
        let keep = self.uncertain(&bytes);
        self.held = bytes.split_off(bytes.len().saturating_sub(keep));
        bytes
    }

    /// What was held back when the stream ended.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Masks secrets in a whole text.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.mask(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn mask(&self, bytes: &mut [u8]) {
        for form in &self.forms {
            let finder = memchr::memmem::Finder::new(form.as_bytes());
            let found: Vec<usize> = finder.find_iter(bytes).collect();
            for start in found {
                if let Some(place) = bytes.get_mut(start..start + form.len()) {
                    place.fill(b'*');
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Secret, SecretGrant};
    use std::collections::BTreeMap;

    fn scrubber() -> Scrubber {
        let grant = SecretGrant { value: Secret::new("canary-77"), destinations: Vec::new() };
        Scrubber::new(&Secrets::new(BTreeMap::from([("k".to_owned(), grant)])))
    }

    #[test]
    fn a_secret_is_masked_wherever_the_stream_is_cut() {
        let text = b"x canary-77 y canary-7 canary-77";
        for cut in 0..=text.len() {
            let mut scrubber = scrubber();
            let (head, tail) = text.split_at(cut);
            let mut out = scrubber.stream(head.to_vec());
            out.extend(scrubber.stream(tail.to_vec()));
            out.extend(scrubber.finish());
            assert_eq!(String::from_utf8(out).expect("text"), "x ********* y canary-7 *********", "cut at {cut}");
        }
    }
}
