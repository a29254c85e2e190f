//! The dialect of npm's configuration files.
//!
//! Follows what npm's own reader does (package `ini` of npm 11): one `key = value` a line, `;` and `#` start comments
//! unless escaped, quotes as in JSON, `key[]` appends, a key alone means `true`. Settings below a `[section]` header
//! belong to the section and therefore to no setting npm has: they are skipped.

use std::cell::RefCell;

/// One setting of a file, in the order of the file. The value is not yet expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    /// `key[]`: one element of a list.
    pub(super) listed: bool,
}

pub(super) fn parse(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    // A byte order mark in front of the first key is an editor's, not the key's.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for line in text.split(['\r', '\n']) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with([';', '#']) {
            continue;
        }
        if is_section(line) {
            break;
        }
        entries.extend(entry(line));
    }
    entries
}

/// Nothing after the first header is at the top level again: the format has no way back.
fn is_section(line: &str) -> bool {
    let line = line.trim_end();
    line.starts_with('[') && line.ends_with(']') && line.matches(']').count() == 1
}

fn entry(line: &str) -> Option<Entry> {
    let (key, value) = match line.split_once('=') {
        Some((key, value)) => (unquote(key), unquote(value)),
        None => (unquote(line), "true".to_owned()),
    };
    let (key, listed) = match key.strip_suffix("[]") {
        Some(stem) if !stem.is_empty() => (stem.to_owned(), true),
        _ => (key, false),
    };
    (!key.is_empty()).then_some(Entry { key, value, listed })
}

fn unquote(raw: &str) -> String {
    let raw = raw.trim();
    let inner = |mark: char| raw.len() >= 2 && raw.starts_with(mark) && raw.ends_with(mark);
    if inner('"') {
        return serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned());
    }
    if inner('\'') {
        let inside = raw.get(1..raw.len() - 1).unwrap_or_default();
        // npm reads single quotes as wrapped JSON, and as plain text if it is none.
        return serde_json::from_str::<String>(inside).unwrap_or_else(|_| inside.to_owned());
    }
    unescape(raw)
}

fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut escaped = false;
    for c in raw.chars() {
        match (escaped, c) {
            (true, '\\' | ';' | '#') => out.push(c),
            (true, _) => out.extend(['\\', c]),
            (false, ';' | '#') => break,
            (false, '\\') => {}
            (false, _) => out.push(c),
        }
        escaped = !escaped && c == '\\';
    }
    if escaped {
        out.push('\\');
    }
    out.trim().to_owned()
}

/// A value after `${NAME}` was replaced, and the names that are not set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    pub(super) text: String,
    pub(super) missing: Vec<String>,
}

/// Replaces `${NAME}`, and `${NAME?}` by nothing if it is not set. `\${NAME}` stays. Each value is expanded once: what a
/// variable holds is not looked at again.
pub(super) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Expanded {
    let mut out = Expanded { text: String::with_capacity(text.len()), missing: Vec::new() };
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        let Some((whole, name, optional)) = reference(from) else {
            let (mark, after) = from.split_at(2);
            out.text.push_str(before);
            out.text.push_str(mark);
            rest = after;
            continue;
        };
        let plain = before.trim_end_matches('\\');
        let slashes = before.len() - plain.len();
        out.text.push_str(plain);
        out.text.extend(std::iter::repeat_n('\\', slashes / 2));
        if slashes % 2 == 1 {
            out.text.push_str(whole);
        } else {
            match env(name) {
                Some(value) => out.text.push_str(&value),
                None if optional => {}
                None => {
                    out.text.push_str(whole);
                    out.missing.push(name.to_owned());
                }
            }
        }
        rest = from.get(whole.len()..).unwrap_or_default();
    }
    out.text.push_str(rest);
    out
}

/// The variables a text refers to. Looks none of them up.
pub(super) fn references(text: &str) -> Vec<String> {
    let names = RefCell::new(Vec::new());
    expand(text, &|name| {
        names.borrow_mut().push(name.to_owned());
        None
    });
    names.into_inner()
}

/// `${NAME}` or `${NAME?}` at the start of a text: the whole, the name, whether it is optional.
fn reference(text: &str) -> Option<(&str, &str, bool)> {
    let inside = text.strip_prefix("${")?;
    let end = inside.find('}')?;
    let whole = text.get(..end + 3)?;
    let inside = inside.get(..end)?;
    let (name, optional) = inside.strip_suffix('?').map_or((inside, false), |name| (name, true));
    (!name.is_empty() && !name.contains(['$', '{', '?'])).then_some((whole, name, optional))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).into_iter().map(|e| (e.key, e.value)).collect()
    }

    fn one(text: &str) -> String {
        parse(text).into_iter().next().unwrap().value
    }

    #[test]
    fn lines_comments_and_bare_keys() {
        let text = "\u{feff}a=1\r\n\n; no\n  # no\nb = two words ; tail\nc\n=x\n//h:1/p/:_authToken = t=t==\n";
        let got = pairs(text);
        let want = [("a", "1"), ("b", "two words"), ("c", "true"), ("//h:1/p/:_authToken", "t=t==")];
        assert_eq!(got, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn quotes_and_escapes() {
        assert_eq!(one(r#"ca="-A-\nB""#), "-A-\nB");
        assert_eq!(one(r#"a='x # y'"#), "x # y");
        assert_eq!(one(r#"a="broken"#), r#""broken"#);
        assert_eq!(one(r"a=x\;y\#z\\"), r"x;y#z\");
        assert_eq!(one(r"a=C:\dir\"), r"C:\dir\");
        assert_eq!(one("a="), "");
    }

    #[test]
    fn lists_and_sections() {
        let entries = parse("ca[]=1\nca[]=2\n[]=3\n[section]\nregistry=http://evil/\n");
        assert_eq!(entries.iter().filter(|e| e.listed && e.key == "ca").count(), 2);
        assert!(entries.iter().all(|e| e.key != "registry"));
    }

    #[test]
    fn variables() {
        let env = |name: &str| match name {
            "A" => Some("${B}".to_owned()),
            "B" => Some("b".to_owned()),
            _ => None,
        };
        let case = |text: &str| expand(text, &env).text;
        assert_eq!(case("x${B}y${B}"), "xbyb");
        assert_eq!(case("${A}"), "${B}", "values are not expanded again");
        assert_eq!(case(r"\${B} \\${B}"), r"${B} \b");
        assert_eq!(case("${N?}."), ".");
        assert_eq!(expand("${N}", &env), Expanded { text: "${N}".into(), missing: vec!["N".into()] });
        assert_eq!(case("${} ${ ${x${B}"), "${} ${ ${xb");
        assert_eq!(references(r"${A}-\${B}-\\${C?}-${}"), ["A", "C"], "an escaped one is text");
    }

    proptest! {
        /// Whatever the file holds: no panic, no key from nothing, no comment or line break in an unquoted key.
        #[test]
        fn any_text_is_read(text in "\\PC*|([a-z@:/_\\[\\]=;#\"'\\\\ \\r\\n${}?]){0,80}") {
            for entry in parse(&text) {
                prop_assert!(!entry.key.is_empty());
                prop_assert!(!entry.listed || !entry.key.is_empty());
            }
        }

        /// What npm writes it reads back.
        #[test]
        fn quoted_values_round_trip(value in "\\PC{0,40}") {
            let line = format!("key={}", serde_json::to_string(&value).unwrap());
            prop_assert_eq!(one(&line), value);
        }

        /// Text with no reference is not changed; every reference to a set variable is replaced.
        #[test]
        fn expansion(parts in proptest::collection::vec(("[a-z{} \\\\/.]{0,8}[a-z]", "[A-Z]{1,4}"), 0..6)) {
            let plain: String = parts.iter().map(|(text, _)| text.as_str()).collect();
            prop_assert_eq!(expand(&plain, &|_| None).text, plain);
            let text: String = parts.iter().map(|(text, name)| format!("{text}${{{name}}}")).collect();
            let want: String = parts.iter().map(|(text, name)| format!("{text}<{name}>")).collect();
            prop_assert_eq!(expand(&text, &|name| Some(format!("<{name}>"))).text, want);
        }

        #[test]
        fn any_text_is_expanded(text in "([a$}{?\\\\]){0,40}") {
            expand(&text, &|_| Some(String::new()));
        }
    }
}
