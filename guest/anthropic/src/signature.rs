//! The opaque string that goes with a thinking block.
//!
//! The API has two proofs: the signature of a thinking block, and the data of a redacted one, which is all that is known
//! of it. One string carries either, with a word before it that tells which; what has neither word is another provider's and
//! cannot be handed back.

const SIGNED: &str = "anthropic/thinking:";
const REDACTED: &str = "anthropic/redacted-thinking:";

/// What goes with a thinking block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof<'a> {
    /// Its signature.
    Signed(&'a str),
    /// The block itself, encrypted.
    Redacted(&'a str),
}

impl<'a> Proof<'a> {
    /// Reads an opaque string; `None` for another provider's.
    pub(crate) fn read(opaque: &'a str) -> Option<Self> {
        let signed = opaque.strip_prefix(SIGNED).map(Self::Signed);
        signed.or_else(|| opaque.strip_prefix(REDACTED).map(Self::Redacted))
    }

    /// Writes the opaque string; none for an empty proof.
    pub(crate) fn write(self) -> Option<String> {
        let (word, proof) = match self {
            Self::Signed(proof) => (SIGNED, proof),
            Self::Redacted(proof) => (REDACTED, proof),
        };
        (!proof.is_empty()).then(|| format!("{word}{proof}"))
    }
}
