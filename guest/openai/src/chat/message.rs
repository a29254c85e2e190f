//! The conversation as chat completions write it.

use crate::image;
use crate::outgoing::{arguments, misplaced};
use llm_provider_core::classify::Failure;
use llm_provider_core::completion::Ask;
use llm_provider_guest::types::{self, Block, Role};
use serde::Serialize;

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(super) enum Message<'a> {
    System { content: &'a str },
    User { content: Content<'a> },
    Assistant(Assistant<'a>),
    Tool { tool_call_id: &'a str, content: &'a str },
}

#[derive(Serialize)]
pub(super) struct Assistant<'a> {
    /// `null` when there are calls only.
    content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

/// A single text goes as a string: many services take nothing else.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Serialize)]
pub(super) struct ImageUrl {
    url: String,
}

#[derive(Serialize)]
pub(super) struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Called<'a>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// Writes the whole conversation, the system prompt first.
pub(super) fn messages(ask: &Ask) -> Result<Vec<Message<'_>>, Failure> {
    let mut out = Vec::with_capacity(ask.messages.len() + 1);
    out.extend(ask.system.as_deref().map(|content| Message::System { content }));
    for message in &ask.messages {
        match message.role {
            Role::User => user(message, &mut out)?,
            Role::Assistant => out.extend(assistant(message)?.map(Message::Assistant)),
        }
    }
    Ok(out)
}

/// Results become messages of their own, and go before everything else: the API wants them right after the calls.
fn user<'a>(message: &'a types::Message, out: &mut Vec<Message<'a>>) -> Result<(), Failure> {
    let mut parts = Vec::new();
    for block in &message.blocks {
        match block {
            Block::ToolResult(result) => {
                out.push(Message::Tool { tool_call_id: &result.call_id, content: &result.content });
            }
            Block::Text(text) => parts.push(Part::Text { text: &text.text }),
            Block::Image(image) => parts.push(Part::ImageUrl { image_url: ImageUrl { url: image::url(image) } }),
            Block::Thinking(_) => return Err(misplaced("thinking", "user")),
            Block::ToolCall(_) => return Err(misplaced("a tool call", "user")),
        }
    }
    match parts.as_slice() {
        [] => {}
        [Part::Text { text }] => out.push(Message::User { content: Content::Text(text) }),
        _ => out.push(Message::User { content: Content::Parts(parts) }),
    }
    Ok(())
}

/// `None` when nothing is left of it: thinking has no place here.
fn assistant(message: &types::Message) -> Result<Option<Assistant<'_>>, Failure> {
    let (mut texts, mut tool_calls) = (Vec::new(), Vec::new());
    for block in &message.blocks {
        match block {
            Block::Text(text) if text.text.is_empty() => {}
            Block::Text(text) => texts.push(text.text.as_str()),
            Block::ToolCall(call) => {
                let function = Called { name: &call.name, arguments: arguments(&call.arguments) };
                tool_calls.push(Call { id: &call.id, kind: "function", function });
            }
            Block::Thinking(_) => {}
            Block::Image(_) => return Err(misplaced("an image", "assistant")),
            Block::ToolResult(_) => return Err(misplaced("a tool's result", "assistant")),
        }
    }
    // Blocks are paragraphs to whoever reads them; as one string, the API's only form that everybody takes, they stay so.
    let content = (!texts.is_empty()).then(|| texts.join("\n\n"));
    let nothing = content.is_none() && tool_calls.is_empty();
    Ok((!nothing).then_some(Assistant { content, tool_calls }))
}
