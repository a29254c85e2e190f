//! The opaque string that goes with a thinking block.
//!
//! The API may sign any part of an answer: what the model thought, a call, a text, or a text without a word at the end
//! of a stream. It wants each signature back on the part on which it came, and refuses a call in the current turn whose
//! signature is missing. Only thinking blocks carry an opaque string, so the signature of anything else is a thinking
//! block of its own, without text, that stands before what it belongs to. A word before the signature tells what that
//! is; what has none of these words is another provider's and cannot be handed back.

const THOUGHT: &str = "gemini/thought:";
const CALL: &str = "gemini/call:";
const TEXT: &str = "gemini/text:";
const EMPTY: &str = "gemini/empty:";

/// A signature, and what it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof<'a> {
    /// The thinking block's own text.
    Thought(&'a str),
    /// The call after the block.
    Call(&'a str),
    /// The text after the block.
    Text(&'a str),
    /// A text without a word, which stands where the block stands.
    Empty(&'a str),
}

impl<'a> Proof<'a> {
    /// Reads an opaque string; `None` for another provider's.
    pub(crate) fn read(opaque: &'a str) -> Option<Self> {
        let thought = opaque.strip_prefix(THOUGHT).map(Self::Thought);
        let call = || opaque.strip_prefix(CALL).map(Self::Call);
        let text = || opaque.strip_prefix(TEXT).map(Self::Text);
        let empty = || opaque.strip_prefix(EMPTY).map(Self::Empty);
        thought.or_else(call).or_else(text).or_else(empty)
    }

    /// Writes the opaque string.
    pub(crate) fn write(self) -> String {
        let (word, signature) = match self {
            Self::Thought(signature) => (THOUGHT, signature),
            Self::Call(signature) => (CALL, signature),
            Self::Text(signature) => (TEXT, signature),
            Self::Empty(signature) => (EMPTY, signature),
        };
        format!("{word}{signature}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_come_back_and_others_are_not_taken_for_ours() {
        for proof in [Proof::Thought("a"), Proof::Call("b:c"), Proof::Text("d=="), Proof::Empty("e")] {
            assert_eq!(Proof::read(&proof.write()), Some(proof));
        }
        for foreign in ["", "CAIS", "gemini/", "gemini/other:x", "anthropic/thinking:x", "{}"] {
            assert_eq!(Proof::read(foreign), None, "{foreign}");
        }
    }
}
