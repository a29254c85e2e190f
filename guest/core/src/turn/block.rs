//! A block while it grows.

use llm_provider_guest::events::{BlockKind, Delta, Event, ToolCallHead};
use llm_provider_guest::types::{Block, TextBlock, ThinkingBlock, ToolCall};

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text of the answer.
    Text,
    /// Thinking.
    Thinking,
    /// A tool call.
    ToolCall {
        /// The provider's name for the call.
        id: String,
        /// Which tool.
        name: String,
    },
}

impl Kind {
    /// The kind as the events tell it.
    pub(super) fn told(&self) -> BlockKind {
        match self {
            Self::Text => BlockKind::Text,
            Self::Thinking => BlockKind::Thinking,
            Self::ToolCall { id, name } => BlockKind::ToolCall(ToolCallHead { id: id.clone(), name: name.clone() }),
        }
    }
}

/// A block with what it holds so far.
#[derive(Debug)]
pub(super) struct OpenBlock {
    kind: Kind,
    text: String,
    signature: Option<String>,
    open: bool,
}

impl OpenBlock {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, text: String::new(), signature: None, open: true }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    #[inline]
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    #[inline]
    pub(super) fn delta(&self, delta: Delta) -> Event {
        match self.kind {
            Kind::Text => Event::TextDelta(delta),
            Kind::Thinking => Event::ThinkingDelta(delta),
            Kind::ToolCall { .. } => Event::ToolArgumentsDelta(delta),
        }
    }

    /// Closes the block, if it is not closed yet, and gives it whole.
    pub(super) fn finish(&mut self, signature: Option<String>) -> Block {
        if self.open {
            self.signature = signature;
        }
        self.open = false;
        self.whole()
    }

    /// The block with what it holds.
    pub(super) fn whole(&self) -> Block {
        let text = self.text.clone();
        match &self.kind {
            Kind::Text => Block::Text(TextBlock { text }),
            Kind::Thinking => Block::Thinking(ThinkingBlock { text, signature: self.signature.clone() }),
            Kind::ToolCall { id, name } => {
                Block::ToolCall(ToolCall { id: id.clone(), name: name.clone(), arguments: text })
            }
        }
    }
}
