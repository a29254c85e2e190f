//! Masks secrets in what a server says.

use llm_provider_host::Secret;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Shorter values are not looked for: they would be found everywhere. No service hands out such keys.
const SHORTEST: usize = 6;

/// The secrets of a server, in every form in which they may come back.
#[derive(Clone, Default)]
pub(crate) struct Mask {
    forms: Arc<Vec<Zeroizing<String>>>,
}

impl Mask {
    pub(crate) fn new<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets.map(Secret::expose).filter(|secret| secret.len() >= SHORTEST) {
            let quoted = Zeroizing::new(Value::from(secret).to_string());
            forms.push(Zeroizing::new(secret.to_owned()));
            forms.push(Zeroizing::new(quoted.trim_matches('"').to_owned()));
        }
        Self { forms: Arc::new(forms) }
    }

    /// The text with stars in the place of secrets.
    pub(crate) fn text(&self, text: String) -> String {
        self.forms.iter().fold(text, |text, form| {
            if text.contains(form.as_str()) { text.replace(form.as_str(), "******") } else { text }
        })
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask(..)")
    }
}

/// Cuts a text to at most `most` bytes, at a character's end.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(" ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_each_form() {
        let secrets = [Secret::new("canary\"7"), Secret::new("short")];
        let mask = Mask::new(secrets.iter());
        let said = mask.text(r#"canary"7, "canary\"7", short"#.to_owned());
        assert_eq!(said, r#"******, "******", short"#);
        assert_eq!(format!("{mask:?}"), "Mask(..)");
        assert_eq!(Mask::default().text("as it is".to_owned()), "as it is");
    }

    #[test]
    fn a_cut_says_so() {
        assert_eq!(cut("aéb".to_owned(), 4), "aéb");
        assert_eq!(cut("aéb".to_owned(), 2), "a ...");
    }
}
