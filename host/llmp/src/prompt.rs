//! Where the question comes from, and what is refused before anything starts.

use crate::failure::Failure;
use std::io::{self, IsTerminal, Read};

/// The prompt from the argument or from stdin, checked. `limit` is in bytes.
pub(crate) fn read(argument: Option<String>, limit: usize) -> Result<String, Failure> {
    match argument {
        Some(text) if text != "-" => check(text, "the prompt", limit),
        _ => {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                return Err(none("no prompt was given"));
            }
            from_reader(stdin.lock(), limit)
        }
    }
}

fn from_reader(reader: impl Read, limit: usize) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut bytes).map_err(|error| {
        Failure::usage(format!("cannot read the prompt from stdin: {error}"), "give it as an argument instead")
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        // A limit that cuts a character in two is a matter of size, not of encoding.
        let at = error.utf8_error().valid_up_to();
        if error.as_bytes().len() > limit {
            return too_large("the prompt on stdin", limit);
        }
        Failure::usage(
            format!("the prompt on stdin is not UTF-8: byte {at} is wrong"),
            "convert it, for example with iconv",
        )
    })?;
    check(text, "the prompt on stdin", limit)
}

fn check(text: String, what: &str, limit: usize) -> Result<String, Failure> {
    if text.len() > limit {
        return Err(too_large(what, limit));
    }
    if let Some(at) = text.find('\0') {
        let message = format!("{what} holds a NUL byte at {at}: it is not text");
        return Err(Failure::usage(message, "give text, or encode the data, for example with base64"));
    }
    if text.trim().is_empty() {
        return Err(none(&format!("{what} is empty")));
    }
    Ok(text)
}

fn none(message: &str) -> Failure {
    Failure::usage(message, "llmp ask \"your question\", or pipe it in: echo \"your question\" | llmp ask")
}

fn too_large(what: &str, limit: usize) -> Failure {
    Failure::usage(format!("{what} is larger than {} KiB", limit >> 10), "shorten it, or ask about parts of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        from_reader(bytes, 16).expect_err("refused").message
    }

    #[test]
    fn bad_input_is_refused_with_what_is_wrong() {
        assert_eq!(refused(b""), "the prompt on stdin is empty");
        assert_eq!(refused(b" \n"), "the prompt on stdin is empty");
        assert_eq!(refused(b"ab\xff"), "the prompt on stdin is not UTF-8: byte 2 is wrong");
        assert_eq!(refused(b"a\0b"), "the prompt on stdin holds a NUL byte at 1: it is not text");
        assert_eq!(refused(&[b'x'; 17]), "the prompt on stdin is larger than 0 KiB");
        assert_eq!(refused("\u{20ac}".repeat(6).as_bytes()), "the prompt on stdin is larger than 0 KiB");
        assert_eq!(from_reader(&b"hello"[..], 16).expect("fine"), "hello");
    }
}
