//! Half characters in JSON. A service that cuts text between the two halves of a surrogate pair writes each as an escape of
//! its own: legal JSON (RFC 8259 section 8.2), of which no Rust string can be made.

/// What stands in the place of half a character.
const REPLACEMENT: &str = "\\ufffd";

/// A copy of a JSON text in which every escape of half a character stands for U+FFFD; `None` where there is none. For texts
/// that could not be read: others need no copy.
#[must_use]
pub fn mended(json: &str) -> Option<String> {
    let mut copy = String::with_capacity(json.len());
    let mut rest = json;
    let mut found = false;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        copy.push_str(before);
        let (taken, half) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => (12, false),
            (Some(0xd800..0xe000), _) => (6, true),
            (Some(_), _) => (6, false),
            // The character behind the backslash may be another one.
            (None, _) => (1 + escape.chars().nth(1).map_or(0, char::len_utf8), false),
        };
        let (escape, after) = escape.split_at_checked(taken)?;
        copy.push_str(if half { REPLACEMENT } else { escape });
        found |= half;
        rest = after;
    }
    copy.push_str(rest);
    found.then_some(copy)
}

/// The UTF-16 unit that a text begins with, where it is written as an escape.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)
}
