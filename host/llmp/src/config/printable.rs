//! Text from outside, on one line of a terminal.

/// Escapes whatever could change how a line looks: control characters, line breaks, and the marks that reverse or hide
/// text (Trojan Source, CVE-2021-42574).
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if deceives(c) {
            line.extend(c.escape_unicode())
        } else {
            line.push(c)
        }
        line
    })
}

/// Whether a character changes how a line looks without being seen itself.
pub(crate) fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        assert_eq!(printable("a\u{1b}[31m\nb\tc\u{9b}2J"), "a\\u{1b}[31m\\u{a}b\\u{9}c\\u{9b}2J");
        assert_eq!(printable("x\u{202e}gpj\u{2066}"), "x\\u{202e}gpj\\u{2066}");
        assert_eq!(printable("Grüße, 世界 🦀"), "Grüße, 世界 🦀");
    }
}
