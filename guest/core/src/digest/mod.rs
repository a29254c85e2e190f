//! Fingerprints of conversations, so that "the server has the first n messages of this history" is one comparison.
//!
//! SHA-256, because a caller's history contains text of strangers: with a hash whose collisions are cheap, a message
//! could be made that passes for another and two branches of a conversation would be taken for one. It is fast enough:
//! a 1 MiB history costs a few milliseconds a turn, far below what the provider's own work on it costs.
//!
//! What is compared is what a model would read. Thinking is left out, since callers may drop it and servers keep their
//! own; runs of text in one message count as one text; messages that are empty after that do not count.

mod tools;

pub use tools::fingerprint;

use llm_provider_guest::types::{Block, ImageSource, Message, Role};
use sha2::{Digest as _, Sha256};

/// A fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex(8))
    }
}

impl Digest {
    /// The first `bytes` bytes as lower-case hexadecimal digits; 16 bytes make an id that is not guessed.
    #[must_use]
    pub fn hex(&self, bytes: usize) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
        self.0.iter().take(bytes).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

/// Fields hashed one after the other, each with its length in front: no two lists of fields look the same.
#[derive(Clone)]
pub struct Fields(Sha256);

impl Fields {
    /// An empty list of a kind; lists of different kinds never look the same.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self(Sha256::new()).field(kind.as_bytes())
    }

    /// Appends a field.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Appends a field that may be absent, which is different from empty.
    #[must_use]
    pub fn optional(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.field(b"some").field(bytes),
            None => self.field(b"none"),
        }
    }

    /// The fingerprint of the list.
    #[must_use]
    pub fn digest(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The fingerprint of a conversation that can grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain(Digest);

impl Default for Chain {
    fn default() -> Self {
        Self(Fields::new("conversation").digest())
    }
}

impl Chain {
    /// The conversation with one more message.
    #[must_use]
    pub fn then(self, message: &Message) -> Self {
        let Some(fields) = message_fields(message) else { return self };
        Self(Fields::new("message").field(&self.0.0).field(&fields.digest().0).digest())
    }

    /// The conversation with more messages.
    #[must_use]
    pub fn extend<'a>(self, messages: impl IntoIterator<Item = &'a Message>) -> Self {
        messages.into_iter().fold(self, Self::then)
    }

    /// The chains of all beginnings of a conversation: of none, of one message, and so on to all.
    #[must_use]
    pub fn prefixes(messages: &[Message]) -> Vec<Self> {
        let mut chain = Self::default();
        let mut chains = vec![chain];
        chains.extend(messages.iter().map(|message| {
            chain = chain.then(message);
            chain
        }));
        chains
    }

    /// The fingerprint itself.
    #[must_use]
    pub fn digest(self) -> Digest {
        self.0
    }
}

/// The message as fields; `None` when nothing of it counts.
fn message_fields(message: &Message) -> Option<Fields> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let mut fields = Fields::new(role);
    let mut empty = true;
    let mut text = String::new();
    for block in &message.blocks {
        if let Block::Text(more) = block {
            text.push_str(&more.text);
            continue;
        }
        if matches!(block, Block::Thinking(_)) {
            continue;
        }
        fields = flush(fields, &mut text, &mut empty);
        fields = block_fields(fields, block);
        empty = false;
    }
    fields = flush(fields, &mut text, &mut empty);
    (!empty).then_some(fields)
}

fn flush(fields: Fields, text: &mut String, empty: &mut bool) -> Fields {
    if text.is_empty() {
        return fields;
    }
    *empty = false;
    let fields = fields.field(b"text").field(text.as_bytes());
    text.clear();
    fields
}

fn block_fields(fields: Fields, block: &Block) -> Fields {
    match block {
        Block::Text(_) | Block::Thinking(_) => fields,
        Block::Image(image) => {
            let fields = fields.field(b"image").field(image.media_type.as_bytes());
            match &image.source {
                ImageSource::Data(data) => fields.field(b"data").field(data),
                ImageSource::Url(url) => fields.field(b"url").field(url.as_bytes()),
            }
        }
        Block::ToolCall(call) => fields
            .field(b"tool-call")
            .field(call.id.as_bytes())
            .field(call.name.as_bytes())
            .field(call.arguments.as_bytes()),
        Block::ToolResult(result) => fields
            .field(b"tool-result")
            .field(result.call_id.as_bytes())
            .field(result.content.as_bytes())
            .field(&[u8::from(result.is_error)]),
    }
}
