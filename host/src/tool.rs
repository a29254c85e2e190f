//! Tools that the host runs for the model.

use crate::bindings::llm::provider::types;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;

/// What a tool gives to the model, which reads text: see [`ToolContent::render`].
#[derive(Clone, Debug, PartialEq)]
pub enum ToolContent {
    /// Text, as it is.
    Text(String),
    /// Anything that is not text already.
    Json(Value),
    /// Bytes, such as a file's.
    Bytes(Vec<u8>),
}

impl ToolContent {
    /// The text the model is given. Text stays as it is, and so does a JSON string; bytes are text where they are UTF-8 and
    /// otherwise base64 after a line that says so; any other JSON is written on one line.
    #[must_use]
    pub fn render(self) -> String {
        match self {
            Self::Text(text) | Self::Json(Value::String(text)) => text,
            Self::Json(value) => value.to_string(),
            Self::Bytes(bytes) => String::from_utf8(bytes).unwrap_or_else(|error| {
                let bytes = error.as_bytes();
                format!("[{} bytes that are no text, in base64]\n{}", bytes.len(), STANDARD.encode(bytes))
            }),
        }
    }
}

impl From<String> for ToolContent {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for ToolContent {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Value> for ToolContent {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl From<Vec<u8>> for ToolContent {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for ToolContent {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

/// What a tool gives back. `Err` is a failure that the model is told about, in these words.
pub type ToolOutput = Result<ToolContent, String>;

/// The future of a running tool. It is dropped when its turn is cancelled.
pub type ToolFuture = Pin<Box<dyn Future<Output = ToolOutput> + Send>>;

/// A tool. One implementation may serve many turns at once.
pub trait Tool: Send + Sync + 'static {
    /// Name, description and JSON schema, as the model is shown them. The schema is compiled when a turn starts; one that
    /// is none refuses the turn.
    fn definition(&self) -> types::Tool;

    /// Runs it. `arguments` fit the schema: a call whose arguments do not is answered by the host, which tells the model
    /// what is wrong. They are `{}` where the model gave none.
    ///
    /// A panic is the tool's own: the model is told that it crashed. A call that does not return is given up after the
    /// turn's tool deadline.
    ///
    /// # Cancel safety
    /// The future is dropped at any await point when the turn ends or the deadline passes.
    fn call(&self, arguments: Value) -> ToolFuture;
}

/// Cuts a text to at most `most` bytes, at a character's end.
pub(crate) fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn s31_a_result_is_text_bytes_or_json() {
        let cases: [(ToolContent, &str); 9] = [
            ("as \"is\"".into(), "as \"is\""),
            (String::from("as is").into(), "as is"),
            (b"caf\xc3\xa9".to_vec().into(), "café"),
            (b"\xff\x00".as_slice().into(), "[2 bytes that are no text, in base64]\n/wA="),
            (json!({"b": 1, "a": [null, 2.5]}).into(), r#"{"a":[null,2.5],"b":1}"#),
            (json!("a string is as it is").into(), "a string is as it is"),
            (json!(null).into(), "null"),
            (Vec::<u8>::new().into(), ""),
            (json!([]).into(), "[]"),
        ];
        for (content, text) in cases {
            assert_eq!(content.clone().render(), text, "{content:?}");
        }
    }

    #[test]
    fn a_cut_keeps_characters_whole() {
        for (most, kept) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (4, "aéb"), (9, "aéb")] {
            let mut text = "aéb".to_owned();
            cut(&mut text, most);
            assert_eq!(text, kept, "{most}");
        }
    }
}
