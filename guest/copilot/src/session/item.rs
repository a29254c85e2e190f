//! A piece of an answer, as far as it was told.

use llm_provider_core::turn::{Kind, Turn};
use llm_provider_guest::events::BlockIndex;

/// What an item is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text { message: String },
    Thinking { id: String },
    ToolCall(Called),
}

impl Part {
    /// The kind of its block.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Text { .. } => Kind::Text,
            Self::Thinking { .. } => Kind::Thinking,
            Self::ToolCall(call) => Kind::ToolCall { id: call.told.clone(), name: call.name.clone() },
        }
    }
}

/// A tool call. Some models use an id again, so that it alone does not say which call is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Called {
    /// As the CLI names it.
    pub(super) id: String,
    /// As the host knows it: no other call of the conversation has this name.
    pub(super) told: String,
    pub(super) name: String,
    /// The message of the model that it stands in, once that came.
    pub(super) message: Option<String>,
    /// The CLI's request to run it, once that came.
    pub(super) request: Option<String>,
}

/// What tells calls of one id apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// The message that they stand in.
    Message,
    /// The request to run them.
    Request,
}

impl Called {
    pub(super) fn sign(&self, sign: Sign) -> Option<&str> {
        match sign {
            Sign::Message => self.message.as_deref(),
            Sign::Request => self.request.as_deref(),
        }
    }

    pub(super) fn set(&mut self, sign: Sign, value: &str) {
        let known = match sign {
            Sign::Message => &mut self.message,
            Sign::Request => &mut self.request,
        };
        *known = Some(value.to_owned());
    }
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It may grow, and it may turn out void.
    Open,
    /// It counts, and goes on in the next message: the model ran into its limit and is asked to continue.
    Cut,
    /// It counts and is complete.
    Whole,
}

/// A piece of a block: the whole of it, but for text that several messages continue.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) part: Part,
    pub(super) state: State,
    pub(super) block: BlockIndex,
    pub(super) start: usize,
    pub(super) end: Option<usize>,
}

impl Item {
    pub(super) fn text<'t>(&self, turn: &'t Turn) -> &'t str {
        let text = turn.text(self.block);
        text.get(self.start..self.end.unwrap_or(text.len())).unwrap_or_default()
    }

    pub(super) fn call(&self) -> Option<&Called> {
        if let Part::ToolCall(call) = &self.part { Some(call) } else { None }
    }

    pub(super) fn call_mut(&mut self) -> Option<&mut Called> {
        if let Part::ToolCall(call) = &mut self.part { Some(call) } else { None }
    }
}
