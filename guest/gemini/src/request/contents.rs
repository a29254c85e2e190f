//! The conversation as the API takes it.
//!
//! Roles alternate: adjacent messages of one role become one. In a user's message the results of calls come first, as
//! they answer what stands right before. Parts are never merged: a signature holds for its own part.

use crate::signature::Proof;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_guest::types::{Block, ImageBlock, ImageSource, Message, Role, ThinkingBlock, ToolCall, ToolResult};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub(super) struct Content<'a> {
    pub(super) role: Speaker,
    pub(super) parts: Vec<Part<'a>>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Speaker {
    User,
    Model,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(flatten)]
    pub(super) payload: Payload<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Payload<'a> {
    Text(&'a str),
    #[serde(rename = "inlineData")]
    Inline {
        mime_type: &'a str,
        data: String,
    },
    #[serde(rename = "fileData")]
    File {
        mime_type: &'a str,
        file_uri: &'a str,
    },
    FunctionCall {
        id: &'a str,
        name: &'a str,
        args: Arguments<'a>,
    },
    FunctionResponse {
        id: &'a str,
        name: &'a str,
        response: Outcome<'a>,
    },
}

/// The arguments of a call. The API takes an object and nothing else.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Arguments<'a> {
    Object(&'a RawValue),
    /// None were given.
    Nothing {},
    /// The model made a mistake. It is shown what it wrote, so that it understands the tool's complaint.
    Malformed {
        #[serde(rename = "INVALID_JSON")]
        text: &'a str,
    },
}

/// The result of a call. The API takes an object and knows the word `error`.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome<'a> {
    Result(&'a str),
    Error(&'a str),
}

impl<'a> Part<'a> {
    fn plain(payload: Payload<'a>) -> Self {
        Self { payload, thought: false, thought_signature: None }
    }

    pub(super) fn is_result(&self) -> bool {
        matches!(self.payload, Payload::FunctionResponse { .. })
    }

    pub(super) fn is_call(&self) -> bool {
        matches!(self.payload, Payload::FunctionCall { .. })
    }
}

/// The contents of a conversation.
///
/// # Errors
/// `invalid` when a result has no call, or nothing is left.
pub(super) fn of(messages: &[Message]) -> Result<Vec<Content<'_>>, Failure> {
    let mut contents: Vec<Content<'_>> = Vec::new();
    let mut names = BTreeMap::new();
    for message in messages {
        let (role, mut parts) = match message.role {
            Role::User => (Speaker::User, user(&message.blocks, &names)?),
            Role::Assistant => (Speaker::Model, model(&message.blocks, &mut names)?),
        };
        if parts.is_empty() {
            continue;
        }
        match contents.last_mut().filter(|content| content.role == role) {
            Some(content) => content.parts.append(&mut parts),
            None => contents.push(Content { role, parts }),
        }
    }
    if contents.is_empty() {
        return Err(invalid("the conversation has nothing in it that can be sent".to_owned()));
    }
    // The sort is stable: results and what is said besides keep their order.
    for content in contents.iter_mut().filter(|content| content.role == Speaker::User) {
        content.parts.sort_by_key(|part| !part.is_result());
    }
    Ok(contents)
}

fn user<'a>(blocks: &'a [Block], names: &BTreeMap<&'a str, &'a str>) -> Result<Vec<Part<'a>>, Failure> {
    let mut parts = Vec::with_capacity(blocks.len());
    for block in blocks {
        parts.push(Part::plain(match block {
            Block::Text(text) => Payload::Text(&text.text),
            Block::Image(image) => picture(image),
            Block::ToolResult(result) => answer(result, names)?,
            Block::Thinking(_) => return Err(misplaced("thinking", "user")),
            Block::ToolCall(_) => return Err(misplaced("a tool call", "user")),
        }));
    }
    Ok(parts)
}

/// A signature goes to the block that follows, if that is of the kind it was given for. Otherwise somebody has changed
/// the history, and the signature would be refused.
fn model<'a>(blocks: &'a [Block], names: &mut BTreeMap<&'a str, &'a str>) -> Result<Vec<Part<'a>>, Failure> {
    let mut parts = Vec::with_capacity(blocks.len());
    let mut next = None;
    for block in blocks {
        let before: Option<Proof<'a>> = next.take();
        match block {
            Block::Thinking(thinking) => match proof(thinking) {
                Some(Proof::Thought(signature)) => parts.push(Part {
                    thought: true,
                    thought_signature: Some(signature),
                    ..Part::plain(Payload::Text(&thinking.text))
                }),
                Some(Proof::Empty(signature)) => {
                    parts.push(Part { thought_signature: Some(signature), ..Part::plain(Payload::Text("")) });
                }
                following => next = following,
            },
            Block::Text(text) => {
                let signature = before.and_then(|proof| if let Proof::Text(text) = proof { Some(text) } else { None });
                parts.push(Part { thought_signature: signature, ..Part::plain(Payload::Text(&text.text)) });
            }
            Block::ToolCall(call) => {
                names.insert(&call.id, &call.name);
                let signature = before.and_then(|proof| if let Proof::Call(call) = proof { Some(call) } else { None });
                parts.push(Part { thought_signature: signature, ..Part::plain(function_call(call)) });
            }
            Block::Image(image) => parts.push(Part::plain(picture(image))),
            Block::ToolResult(_) => return Err(misplaced("a tool's result", "assistant")),
        }
    }
    Ok(parts)
}

/// `None` for thinking of another provider's, or without a signature: the API has no use for either.
fn proof(thinking: &ThinkingBlock) -> Option<Proof<'_>> {
    Proof::read(thinking.signature.as_deref()?)
}

fn picture(image: &ImageBlock) -> Payload<'_> {
    let mime_type = &image.media_type;
    match &image.source {
        ImageSource::Data(data) => Payload::Inline { mime_type, data: STANDARD.encode(data) },
        ImageSource::Url(file_uri) => Payload::File { mime_type, file_uri },
    }
}

fn function_call(call: &ToolCall) -> Payload<'_> {
    let object = serde_json::from_str::<&RawValue>(&call.arguments).ok().filter(|json| json.get().starts_with('{'));
    let args = match object {
        Some(object) => Arguments::Object(object),
        None if call.arguments.trim().is_empty() => Arguments::Nothing {},
        None => Arguments::Malformed { text: &call.arguments },
    };
    Payload::FunctionCall { id: &call.id, name: &call.name, args }
}

/// The API wants the name of the function too, which stands in the call.
fn answer<'a>(result: &'a ToolResult, names: &BTreeMap<&'a str, &'a str>) -> Result<Payload<'a>, Failure> {
    let id = result.call_id.as_str();
    let name = names.get(id).copied().ok_or_else(|| {
        invalid(format!("the call `{}` has a result and stands nowhere in the history", id.escape_debug()))
    })?;
    let response = if result.is_error { Outcome::Error(&result.content) } else { Outcome::Result(&result.content) };
    Ok(Payload::FunctionResponse { id, name, response })
}

fn misplaced(what: &str, message: &str) -> Failure {
    invalid(format!("{what} stands in a message of the {message}"))
}

fn invalid(message: String) -> Failure {
    Failure::of(Fault::Invalid, message)
}
