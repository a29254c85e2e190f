//! Things to say: messages, blocks, tools, the plainest question.

use llm_provider_core::completion::Ask;
use llm_provider_core::offer::OfferedTool;
use llm_provider_guest::http_types::ResponseHeader;
use llm_provider_guest::provider::{Sampling, ToolChoice, TurnOptions};
use llm_provider_guest::secrets::SecretInfo;
use llm_provider_guest::types::{
    Block, ImageBlock, ImageSource, Message, Role, TextBlock, ThinkingBlock, Tool, ToolCall, ToolOwner, ToolResult,
};
use serde_json::Value;
use serde_json::value::RawValue;

/// The one secret that is granted: `key`.
#[must_use]
pub fn secrets() -> Vec<SecretInfo> {
    vec![SecretInfo { name: "key".into(), raw_length: 7, json_length: 8 }]
}

/// A model call with nothing but what was said.
#[must_use]
pub fn ask(model: &str, messages: Vec<Message>) -> Ask {
    Ask {
        model: model.into(),
        system: None,
        messages,
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        max_output_tokens: None,
        effort: None,
        sampling: Sampling::default(),
        stop_sequences: Vec::new(),
        output_schema: None,
        key: "k".into(),
    }
}

/// A message of the person.
#[must_use]
pub fn user(blocks: Vec<Block>) -> Message {
    Message { role: Role::User, blocks }
}

/// A message of the model.
#[must_use]
pub fn assistant(blocks: Vec<Block>) -> Message {
    Message { role: Role::Assistant, blocks }
}

/// A text.
#[must_use]
pub fn text(text: &str) -> Block {
    Block::Text(TextBlock { text: text.into() })
}

/// What a model thought.
#[must_use]
pub fn thinking(text: &str, signature: Option<&str>) -> Block {
    Block::Thinking(ThinkingBlock { text: text.into(), signature: signature.map(str::to_owned) })
}

/// A PNG.
#[must_use]
pub fn image(source: ImageSource) -> Block {
    Block::Image(ImageBlock { media_type: "image/png".into(), source })
}

/// A call of the tool `add`.
#[must_use]
pub fn call(id: &str, arguments: &str) -> Block {
    Block::ToolCall(ToolCall { id: id.into(), name: "add".into(), arguments: arguments.into() })
}

/// The answer of a tool.
#[must_use]
pub fn result(id: &str, content: &str, is_error: bool) -> Block {
    Block::ToolResult(ToolResult { call_id: id.into(), content: content.into(), is_error })
}

/// A tool as it is offered to a model.
#[must_use]
pub fn tool(name: &str) -> OfferedTool {
    OfferedTool {
        name: name.into(),
        description: "Adds.".into(),
        parameters: raw(&serde_json::json!({"type": "object"})),
    }
}

/// JSON as it stands in an [`Ask`].
#[must_use]
pub fn raw(json: &Value) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

/// Options of a turn that offers these tools.
#[must_use]
pub fn tool_options(names: &[&str], owner: ToolOwner) -> TurnOptions {
    let tool = |name: &&str| Tool {
        name: (*name).into(),
        description: "looks".into(),
        parameters: r#"{"type":"object"}"#.into(),
    };
    TurnOptions { tools: names.iter().map(tool).collect(), tool_owner: owner, ..TurnOptions::default() }
}

/// A header of a response.
#[must_use]
pub fn header(name: &str, value: &str) -> ResponseHeader {
    ResponseHeader { name: name.into(), value: value.into() }
}
