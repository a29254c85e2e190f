//! The two ways out: data to stdout, everything else to stderr.

use std::io::{self, Write};

/// Writes to stdout at once.
pub(crate) fn data(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes a line to stderr. When even that fails there is nobody to tell.
pub(crate) fn tell(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Escapes what could change how a terminal looks: text from outside is shown, never obeyed.
pub(crate) fn plain(text: &str) -> String {
    let escape =
        |c: char| if c.is_control() && c != '\n' && c != '\t' { c.escape_unicode().collect() } else { c.to_string() };
    text.chars().map(escape).collect()
}
