//! JSON bodies in which secrets stand by name.
//!
//! A [`Secret`] serialises as bytes, which nothing else in JSON-shaped data does: the formatter below is told of it by
//! the serialiser itself and cuts the text there. No text of a user, whatever it contains, can be taken for a secret.

use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use std::cell::RefCell;
use std::io::{self, Write};

/// A secret where a JSON string is expected, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(pub String);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_bytes())
    }
}

/// The text so far, and before which byte of it a secret goes.
#[derive(Default)]
struct Parts {
    text: Vec<u8>,
    cuts: Vec<(usize, String)>,
}

struct Sink<'a>(&'a RefCell<Parts>);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Cutting<'a>(&'a RefCell<Parts>);

impl Formatter for Cutting<'_> {
    fn write_byte_array<W: ?Sized + Write>(&mut self, _: &mut W, name: &[u8]) -> io::Result<()> {
        let name = String::from_utf8(name.to_vec()).map_err(io::Error::other)?;
        let mut parts = self.0.borrow_mut();
        parts.text.push(b'"');
        let at = parts.text.len();
        parts.cuts.push((at, name));
        parts.text.push(b'"');
        Ok(())
    }
}

/// Serialises a value; secrets in it become chunks of their own, written as the inside of a JSON string.
///
/// # Errors
/// When the value cannot be written as JSON, such as a map whose keys are not strings.
pub fn body<T: Serialize>(value: &T) -> Result<Vec<Chunk>, serde_json::Error> {
    let parts = RefCell::new(Parts::default());
    let mut serializer = serde_json::Serializer::with_formatter(Sink(&parts), Cutting(&parts));
    value.serialize(&mut serializer)?;
    let Parts { mut text, cuts } = parts.into_inner();
    let mut chunks = Vec::with_capacity(2 * cuts.len() + 1);
    for (at, name) in cuts.into_iter().rev() {
        chunks.push(Chunk::Bytes(text.split_off(at)));
        chunks.push(Chunk::Secret(SecretRef { name, encoding: SecretEncoding::JsonString }));
    }
    chunks.push(Chunk::Bytes(text));
    chunks.reverse();
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[derive(Serialize)]
    struct Sample<'a> {
        user: &'a str,
        key: Secret,
        schema: &'a RawValue,
        header: Option<Secret>,
    }

    #[test]
    fn secrets_become_chunks_and_user_text_never_does() {
        let schema = RawValue::from_string(r#"{"z":[1,2,107],"a":"\u0000key"}"#.to_owned()).unwrap();
        let sample =
            Sample { user: "\"\u{0}key [107,101,121]", key: Secret("key".into()), schema: &schema, header: None };
        let chunks = body(&sample).unwrap();
        let secret = Chunk::Secret(SecretRef { name: "key".into(), encoding: SecretEncoding::JsonString });
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[1], secret);
        let text: Vec<u8> = chunks
            .iter()
            .flat_map(|chunk| match chunk {
                Chunk::Bytes(bytes) => bytes.clone(),
                Chunk::Secret(_) => b"VALUE".to_vec(),
            })
            .collect();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["key"], "VALUE");
        assert_eq!(value["user"], "\"\u{0}key [107,101,121]");
        assert!(String::from_utf8(text).unwrap().contains(r#"{"z":[1,2,107],"a":"\u0000key"}"#));
    }
}
