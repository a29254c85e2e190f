//! What a mistyped name was probably meant to be.

/// How alike two names must be, 1 being the same. At one half every second character may be wrong: `modle`, `base_ulr`.
const ALIKE: f64 = 0.5;

/// The known name that is most like a word, if any is.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = folded(word);
    let rated = known.iter().map(|name| (likeness(&word, &folded(name)), *name));
    let best = rated.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// A hint: the nearest name, or all of them.
pub(super) fn suggestion(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// A name that is a part of the other is like it, however much is missing: `url` for `base-url`.
fn likeness(a: &str, b: &str) -> f64 {
    let part = a.len() >= 3 && b.len() >= 3 && (a.contains(b) || b.contains(a));
    strsim::normalized_damerau_levenshtein(a, b).max(if part { ALIKE } else { 0.0 })
}

/// Case, and `_` for `-`, are no differences.
fn folded(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_or_none() {
        let known = ["model", "base-url", "key-env", "api-version"];
        for (word, expected) in [
            ("modle", Some("model")),
            ("Base_URL", Some("base-url")),
            ("url", Some("base-url")),
            ("keyenv", Some("key-env")),
            ("version", Some("api-version")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(nearest("x", &[]), None);
        assert_eq!(suggestion("zzz", &["a", "b"]), "known here: a, b");
    }
}
