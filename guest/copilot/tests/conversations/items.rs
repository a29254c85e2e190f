//! A conversation as a model sees it, without how it got there: what is compared.

use crate::rig::said;
use llm_provider_guest::types::{Block, Message, Role};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Item {
    User(String),
    Model(String),
    Call { id: String, name: String, arguments: String },
    Result { id: String, content: String },
}

/// A tool as the model is offered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offered {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) parameters: Value,
}

pub(crate) const NO_SUCH_TOOL: &str = "Tool does not exist.";

/// Runs of text of one speaker are one: the CLI gets several messages of the user as one prompt.
fn push(items: &mut Vec<Item>, item: Item) {
    match (items.last_mut(), &item) {
        (Some(Item::User(before)), Item::User(text)) | (Some(Item::Model(before)), Item::Model(text)) => {
            before.push_str("\n\n");
            before.push_str(text);
        }
        _ => items.push(item),
    }
}

pub(crate) fn of_history(history: &[Message]) -> Vec<Item> {
    let mut items = Vec::new();
    for message in history {
        for block in &message.blocks {
            let item = match block {
                Block::Text(text) if message.role == Role::User => Item::User(text.text.clone()),
                Block::Text(text) => Item::Model(text.text.clone()),
                Block::ToolCall(call) => {
                    Item::Call { id: call.id.clone(), name: call.name.clone(), arguments: call.arguments.clone() }
                }
                Block::ToolResult(result) => {
                    Item::Result { id: result.call_id.clone(), content: result.content.clone() }
                }
                Block::Thinking(_) | Block::Image(_) => continue,
            };
            push(&mut items, item);
        }
    }
    items
}

/// What a server's log amounts to: records are opened.
pub(crate) fn of_log(log: &[Item]) -> Vec<Item> {
    let mut items = Vec::new();
    for item in log {
        match item {
            Item::User(prompt) => of_prompt(prompt).into_iter().for_each(|item| push(&mut items, item)),
            // The CLI's own answer to a call of a tool that does not exist: nobody else gets to know it.
            Item::Result { content, .. } if content == NO_SUCH_TOOL => {}
            other => push(&mut items, other.clone()),
        }
    }
    items
}

fn of_prompt(prompt: &str) -> Vec<Item> {
    let Some((_, rest)) = prompt.split_once("\n-----BEGIN RECORD ") else { return vec![Item::User(prompt.to_owned())] };
    let (nonce, rest) = rest.split_once("-----\n").expect("a whole marker");
    let (record, rest) = rest.split_once(&format!("-----END RECORD {nonce}-----\n")).expect("the record ends");
    let mut items: Vec<Item> = record.lines().map(line).collect();
    match rest.split_once("following message from the user.\n\n") {
        Some((_, asked)) => items.push(Item::User(asked.to_owned())),
        None => assert!(rest.starts_with("Nothing was said after that"), "{rest}"),
    }
    items
}

fn line(line: &str) -> Item {
    let said: Value = serde_json::from_str(line).expect("a line of a record is JSON");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    if let Some(spoken) = said.get("text") {
        return if said["role"] == "user" { Item::User(text(spoken)) } else { Item::Model(text(spoken)) };
    }
    if let Some(call) = said.get("tool-call") {
        assert_eq!(said["role"], "assistant");
        return Item::Call { id: text(&call["id"]), name: text(&call["name"]), arguments: text(&call["arguments"]) };
    }
    let result = said.get("tool-result").expect("nothing else is said here");
    Item::Result { id: text(&result["call_id"]), content: text(&result["content"]) }
}

#[test]
fn a_record_opens_to_what_was_said() {
    let history = [said(Role::User, "a"), said(Role::User, "b"), said(Role::Assistant, "c")];
    let prompt = llm_provider_core::history::render(&history, "n") + "d";
    let mut whole = history.to_vec();
    whole.push(said(Role::User, "d"));
    assert_eq!(of_log(&[Item::User(prompt)]), of_history(&whole));
}
