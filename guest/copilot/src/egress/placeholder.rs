//! What the CLI is given in the place of a secret, and where the secret goes instead.

use llm_provider_core::digest::Fields;
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};

/// How every placeholder begins; nobody's key does.
const PREFIX: &str = "llmp-egress-placeholder-";
/// Bytes of a placeholder's own part. All are equally long, so none is the beginning of another.
const OWN: usize = 8;

/// What stands for a secret. It differs from instance to instance, so that no text from elsewhere is taken for it.
pub(crate) fn of(secret: &str, seed: u64) -> String {
    let fields = Fields::new("egress").field(&seed.to_le_bytes()).field(secret.as_bytes());
    format!("{PREFIX}{}", fields.digest().hex(OWN))
}

/// A header's value as chunks: each placeholder of `secrets` becomes the secret, by name.
pub(crate) fn fill(value: &str, secrets: &[(String, String)]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut rest = value;
    while let Some((at, placeholder, name)) = first(rest, secrets) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        push(&mut chunks, before);
        chunks.push(Chunk::Secret(SecretRef { name: name.to_owned(), encoding: SecretEncoding::Raw }));
        rest = from.strip_prefix(placeholder).unwrap_or("");
    }
    push(&mut chunks, rest);
    chunks
}

/// The first placeholder in a text: where, which, and of which secret.
fn first<'a>(text: &str, secrets: &'a [(String, String)]) -> Option<(usize, &'a str, &'a str)> {
    let found = |(placeholder, name): &'a (String, String)| Some((text.find(placeholder)?, &**placeholder, &**name));
    secrets.iter().filter_map(found).min_by_key(|(at, ..)| *at)
}

fn push(chunks: &mut Vec<Chunk>, text: &str) {
    if !text.is_empty() {
        chunks.push(Chunk::Bytes(text.as_bytes().to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secrets() -> Vec<(String, String)> {
        ["key", "other"].map(|name| (of(name, 7), name.to_owned())).to_vec()
    }

    fn secret(name: &str) -> Chunk {
        Chunk::Secret(SecretRef { name: name.to_owned(), encoding: SecretEncoding::Raw })
    }

    #[test]
    fn each_placeholder_becomes_its_secret_and_the_rest_stays() {
        let value = format!("Bearer {}, {}!", of("other", 7), of("key", 7));
        let text = |text: &str| Chunk::Bytes(text.as_bytes().to_vec());
        let expected = [text("Bearer "), secret("other"), text(", "), secret("key"), text("!")];
        assert_eq!(fill(&value, &secrets()), expected);
        assert_eq!(fill(&of("key", 7), &secrets()), [secret("key")]);
        assert_eq!(fill(&of("key", 8), &secrets()), [text(&of("key", 8))], "another instance's");
        assert!(fill("", &secrets()).is_empty());
    }

    proptest! {
        /// The literal chunks with the placeholders put back are the value.
        #[test]
        fn nothing_is_lost(parts in prop::collection::vec(prop_oneof!["[ -~]{0,8}", Just("\u{e9}".to_owned()), Just(of("key", 7)), Just(of("other", 7))], 0..8)) {
            let value = parts.concat();
            let back: String = fill(&value, &secrets()).into_iter().map(|chunk| match chunk {
                Chunk::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
                Chunk::Secret(secret) => of(&secret.name, 7),
            }).collect();
            prop_assert_eq!(back, value);
        }
    }
}
