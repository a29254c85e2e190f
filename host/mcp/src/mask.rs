//! Masks secrets in what a server says.

use llm_provider_host::Secret;
use serde_json::Value;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Shorter values are not looked for: they would be found everywhere. No service hands out such keys.
const SHORTEST: usize = 6;

/// What stands in the place of a secret.
const STARS: &str = "******";

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
            let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
            if inside != secret {
                forms.push(Zeroizing::new(inside.to_owned()));
            }
            forms.push(Zeroizing::new(secret.to_owned()));
        }
        Self { forms: Arc::new(forms) }
    }

    /// The text with stars in the place of secrets.
    pub(crate) fn text(&self, text: String) -> String {
        let found = self.found(&text);
        if found.is_empty() {
            return text;
        }
        let (mut masked, mut from) = (String::with_capacity(text.len()), 0);
        for place in found {
            masked.push_str(text.get(from..place.start).unwrap_or_default());
            masked.push_str(STARS);
            from = place.end;
        }
        masked.push_str(text.get(from..).unwrap_or_default());
        masked
    }

    /// The value with stars in the place of secrets, in all its parts: over its JSON, a mask could lie over a quote too.
    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, field)| (self.text(name), self.value(field))).collect()
            }
            Value::Number(number) if !self.found(&number.to_string()).is_empty() => STARS.into(),
            other => other,
        }
    }

    /// Where secrets are, in order. Some overlap, each other or themselves: those are one place.
    fn found(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for form in self.forms.iter() {
            let step = form.chars().next().map_or(1, char::len_utf8);
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(form.as_str())) {
                let start = from + at;
                add(&mut found, start..start + form.len());
                from = start + step;
            }
        }
        found.sort_unstable_by_key(|place| place.start);
        found.into_iter().fold(Vec::new(), |mut places, place| {
            add(&mut places, place);
            places
        })
    }
}

/// Adds a place that does not begin before the last one, or is apart from it.
fn add(places: &mut Vec<Range<usize>>, place: Range<usize>) {
    match places.last_mut() {
        Some(last) if last.contains(&place.start) => last.end = last.end.max(place.end),
        _ => places.push(place),
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
    use serde_json::json;

    #[test]
    fn secrets_are_masked_in_each_form() {
        let secrets = [Secret::new("canary\"7"), Secret::new("short")];
        let mask = Mask::new(secrets.iter());
        let said = mask.text(r#"canary"7, "canary\"7", short"#.to_owned());
        assert_eq!(said, r#"******, "******", short"#);
        assert_eq!(format!("{mask:?}"), "Mask(..)");
        assert_eq!(Mask::default().text("as it is".to_owned()), "as it is");
    }

    fn mask(secrets: &[&str]) -> Mask {
        Mask::new(secrets.iter().map(|secret| Secret::new(*secret)).collect::<Vec<_>>().iter())
    }

    #[test]
    fn secrets_that_overlap_leave_nothing() {
        let all = ["robot-77", "robot-77:hunter22", "hunter22-x", "ababab"];
        let said = "a robot-77:hunter22-x b robot-77robot-77 c xabababab";
        // In any order.
        for first in 0..all.len() {
            let mut secrets = all;
            secrets.rotate_left(first);
            assert_eq!(mask(&secrets).text(said.to_owned()), "a ****** b ************ c x******", "{secrets:?}");
        }
        assert_eq!(mask(&["ends with \""]).text(r#"{"a":"ends with \""}"#.to_owned()), r#"{"a":"******"}"#);
        assert_eq!(mask(&["\u{e9}\u{e9}\u{e9}\u{e9}"]).text("x\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".to_owned()), "x******");
    }

    #[test]
    fn a_value_is_masked_in_all_its_parts_and_stays_one() {
        let mask = mask(&["12345678", "canary\"7", r#"","b":"#]);
        let value = json!({"canary\"7": [true, null, 12_345_678, 1_234], "a": {"deep": "is 12345678"}, "b": "x"});
        let masked = json!({"******": [true, null, "******", 1_234], "a": {"deep": "is ******"}, "b": "x"});
        assert_eq!(mask.value(value.clone()), masked);
        assert_eq!(Mask::default().value(value.clone()), value);
    }

    #[test]
    fn a_cut_says_so() {
        assert_eq!(cut("aéb".to_owned(), 4), "aéb");
        assert_eq!(cut("aéb".to_owned(), 2), "a ...");
    }
}
