//! The conversation as Responses write it: a list of items.

use super::signature::Signature;
use crate::image;
use crate::outgoing::{arguments, misplaced};
use llm_provider_core::classify::Failure;
use llm_provider_guest::types::{Block, Message, Role, ThinkingBlock};
use serde::Serialize;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    Message { role: &'static str, content: Content<'a> },
    Reasoning { id: String, summary: Vec<Part<'a>>, encrypted_content: String },
    FunctionCall { call_id: &'a str, name: &'a str, arguments: &'a str },
    FunctionCallOutput { call_id: &'a str, output: &'a str },
}

/// The answers of the model go back as plain text: as parts they would need the ids of items that nobody stored.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    InputText { text: &'a str },
    InputImage { image_url: String },
    SummaryText { text: &'a str },
}

/// Writes the whole conversation; the system prompt is not in it.
pub(super) fn items(messages: &[Message]) -> Result<Vec<Item<'_>>, Failure> {
    let mut out = Vec::with_capacity(messages.len());
    for message in messages {
        match message.role {
            Role::User => user(message, &mut out)?,
            Role::Assistant => assistant(message, &mut out)?,
        }
    }
    Ok(out)
}

/// Results go before everything else that is said beside them: they belong to the calls that stand before.
fn user<'a>(message: &'a Message, out: &mut Vec<Item<'a>>) -> Result<(), Failure> {
    let mut parts = Vec::new();
    for block in &message.blocks {
        match block {
            Block::ToolResult(result) => {
                out.push(Item::FunctionCallOutput { call_id: &result.call_id, output: &result.content });
            }
            Block::Text(text) => parts.push(Part::InputText { text: &text.text }),
            Block::Image(image) => parts.push(Part::InputImage { image_url: image::url(image) }),
            Block::Thinking(_) => return Err(misplaced("thinking", "user")),
            Block::ToolCall(_) => return Err(misplaced("a tool call", "user")),
        }
    }
    if !parts.is_empty() {
        out.push(Item::Message { role: "user", content: Content::Parts(parts) });
    }
    Ok(())
}

fn assistant<'a>(message: &'a Message, out: &mut Vec<Item<'a>>) -> Result<(), Failure> {
    for block in &message.blocks {
        match block {
            Block::Text(text) if text.text.is_empty() => {}
            Block::Text(text) => out.push(Item::Message { role: "assistant", content: Content::Text(&text.text) }),
            Block::Thinking(thinking) => out.extend(reasoning(thinking)),
            Block::ToolCall(call) => out.push(Item::FunctionCall {
                call_id: &call.id,
                name: &call.name,
                arguments: arguments(&call.arguments),
            }),
            Block::Image(_) => return Err(misplaced("an image", "assistant")),
            Block::ToolResult(_) => return Err(misplaced("a tool's result", "assistant")),
        }
    }
    Ok(())
}

/// `None` for thinking that is not from here, which the service would refuse.
fn reasoning(thinking: &ThinkingBlock) -> Option<Item<'_>> {
    let Signature { id, encrypted_content } = Signature::read(thinking.signature.as_deref()?)?;
    let text = thinking.text.as_str();
    let summary = (!text.is_empty()).then_some(Part::SummaryText { text }).into_iter().collect();
    Some(Item::Reasoning { id, summary, encrypted_content })
}
