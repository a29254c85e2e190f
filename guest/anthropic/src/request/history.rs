//! The conversation as the API takes it.
//!
//! Roles alternate: adjacent messages of one role become one. In a user's message the results of tools come first, as
//! the API insists. Texts of nothing but blanks are left out, as it does not take them.

use super::Marked;
use crate::signature::Proof;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_guest::types::{Block, ImageBlock, ImageSource, Message, Role, ThinkingBlock, ToolCall, ToolResult};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: Speaker,
    pub(super) content: Vec<Marked<Content<'a>>>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    User,
    Assistant,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Content<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Arguments<'a>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "str::is_empty")]
        content: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 { media_type: &'a str, data: String },
    Url { url: &'a str },
}

/// The arguments of a call. The API takes an object and nothing else.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Arguments<'a> {
    Object(&'a RawValue),
    /// None were given.
    Nothing {},
    /// The model made a mistake. It is shown what it wrote, under the name that the API's documentation suggests for
    /// this, so that it understands the tool's complaint and can do better.
    Malformed {
        #[serde(rename = "INVALID_JSON")]
        text: &'a str,
    },
}

impl Content<'_> {
    /// Whether a mark for the cache may stand here: not on thinking.
    pub(super) fn can_be_marked(&self) -> bool {
        !matches!(self, Self::Thinking { .. } | Self::RedactedThinking { .. })
    }

    fn is_result(&self) -> bool {
        matches!(self, Self::ToolResult { .. })
    }
}

/// The messages of a conversation.
///
/// # Errors
/// `unsupported` for an image of the assistant's, for which the API has no place; `invalid` when nothing is left.
pub(super) fn turns(messages: &[Message]) -> Result<Vec<Turn<'_>>, Failure> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Assistant,
        };
        let mut blocks = Vec::with_capacity(message.blocks.len());
        for block in &message.blocks {
            blocks.extend(content(block, role)?.map(Marked::plain));
        }
        if blocks.is_empty() {
            continue;
        }
        match turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.content.append(&mut blocks),
            None => turns.push(Turn { role, content: blocks }),
        }
    }
    if turns.is_empty() {
        return Err(Failure::of(Fault::Invalid, "the conversation has nothing in it that can be sent"));
    }
    // The sort is stable: results and what is said besides keep their order.
    for turn in turns.iter_mut().filter(|turn| turn.role == Speaker::User) {
        turn.content.sort_by_key(|block| !block.what.is_result());
    }
    Ok(turns)
}

/// A block; `None` for one that is left out.
fn content(block: &Block, role: Speaker) -> Result<Option<Content<'_>>, Failure> {
    Ok(match block {
        Block::Text(text) if text.text.trim().is_empty() => None,
        Block::Text(text) => Some(Content::Text { text: &text.text }),
        Block::Thinking(thinking) => thought(thinking),
        Block::Image(_) if role == Speaker::Assistant => {
            return Err(Failure::of(Fault::Unsupported, "the Messages API takes images from the user only"));
        }
        Block::Image(image) => Some(Content::Image { source: source(image) }),
        Block::ToolCall(call) => Some(tool_use(call)),
        Block::ToolResult(result) => Some(tool_result(result)),
    })
}

/// Thinking goes back as it came. Another provider's has no proof, and the API would refuse it.
fn thought(block: &ThinkingBlock) -> Option<Content<'_>> {
    Some(match Proof::read(block.signature.as_deref()?)? {
        Proof::Signed(signature) => Content::Thinking { thinking: &block.text, signature },
        Proof::Redacted(data) => Content::RedactedThinking { data },
    })
}

fn source(image: &ImageBlock) -> Source<'_> {
    match &image.source {
        ImageSource::Data(data) => Source::Base64 { media_type: &image.media_type, data: STANDARD.encode(data) },
        ImageSource::Url(url) => Source::Url { url },
    }
}

fn tool_use(call: &ToolCall) -> Content<'_> {
    let object = serde_json::from_str::<&RawValue>(&call.arguments).ok().filter(|json| json.get().starts_with('{'));
    let input = match object {
        Some(object) => Arguments::Object(object),
        None if call.arguments.trim().is_empty() => Arguments::Nothing {},
        None => Arguments::Malformed { text: &call.arguments },
    };
    Content::ToolUse { id: id(&call.id), name: &call.name, input }
}

/// An error without a word is refused by the API.
fn tool_result(result: &ToolResult) -> Content<'_> {
    let silent = result.is_error && result.content.trim().is_empty();
    let content = if silent { "The tool failed without a message." } else { &result.content };
    Content::ToolResult { tool_use_id: id(&result.call_id), content, is_error: result.is_error }
}

/// The name of a call. The API takes letters, digits, `_` and `-`; other providers' names have more, and are spelled
/// the same in the call and in its result.
fn id(id: &str) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if id.bytes().all(allowed) {
        return Cow::Borrowed(id);
    }
    let spell = |byte: u8| if allowed(byte) { char::from(byte).to_string() } else { format!("_{byte:02x}") };
    Cow::Owned(id.bytes().map(spell).collect())
}
