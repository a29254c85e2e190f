//! A request's conversation, read from any dialect into one shape.

use std::fmt;

use serde_json::Value;

use crate::dialect::Dialect;

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The system prompt, also under its other names: `developer`, `instructions`, `system`.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// The result of one tool call.
    Tool,
}

impl Role {
    /// The word in which tests like to see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "system" | "developer" => Self::System,
            "assistant" => Self::Assistant,
            "tool" => Self::Tool,
            _ => Self::User,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One message of a conversation, the same whichever dialect carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// All text parts, joined without separator.
    pub text: String,
    /// The reasoning that the client sent back with an assistant's message.
    pub reasoning: String,
    /// The calls in an assistant's message.
    pub tool_calls: Vec<RequestedCall>,
    /// For [`Role::Tool`]: the id of the call that this is the result of.
    pub answers: Option<String>,
}

/// A tool call in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedCall {
    /// The call's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments as JSON text.
    pub arguments: String,
}

impl Message {
    fn new(role: Role, text: String) -> Self {
        Self { role, text, reasoning: String::new(), tool_calls: Vec::new(), answers: None }
    }

    fn result(call: &Value, output: &Value) -> Self {
        Self { answers: Some(string(call)), ..Self::new(Role::Tool, text_of(output)) }
    }

    /// Nothing in it but its role.
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.reasoning.is_empty() && self.tool_calls.is_empty()
    }
}

/// The messages of a request's body, the system prompt first. What is not of the dialect's shape is skipped.
pub(crate) fn read(dialect: Dialect, body: &Value) -> Vec<Message> {
    match dialect {
        Dialect::ChatCompletions => list(field(body, "messages")).map(chat_message).collect(),
        Dialect::Responses => responses(body),
        Dialect::Anthropic => anthropic(body),
        Dialect::Gemini => gemini(body),
    }
}

/// The names of the tools that a request offers.
pub(crate) fn tools(body: &Value) -> Vec<String> {
    let name = |tool: &Value| {
        field(tool, "name").as_str().or_else(|| field(field(tool, "function"), "name").as_str()).map(str::to_owned)
    };
    // Gemini's tools are lists of functions.
    let functions = |tool: &'_ Value| list(field(tool, "functionDeclarations")).filter_map(name).collect::<Vec<_>>();
    list(field(body, "tools")).flat_map(|tool| name(tool).into_iter().chain(functions(tool))).collect()
}

fn chat_message(entry: &Value) -> Message {
    let call = |call: &Value| RequestedCall {
        id: string(field(call, "id")),
        name: string(field(field(call, "function"), "name")),
        arguments: string(field(field(call, "function"), "arguments")),
    };
    Message {
        role: Role::parse(field(entry, "role").as_str().unwrap_or_default()),
        text: text_of(field(entry, "content")),
        reasoning: string(field(entry, "reasoning_content")),
        tool_calls: list(field(entry, "tool_calls")).map(call).collect(),
        answers: field(entry, "tool_call_id").as_str().map(str::to_owned),
    }
}

fn responses(body: &Value) -> Vec<Message> {
    let mut messages = Vec::new();
    if let Some(text) = field(body, "instructions").as_str().filter(|text| !text.is_empty()) {
        messages.push(Message::new(Role::System, text.to_owned()));
    }
    if let Some(prompt) = field(body, "input").as_str() {
        messages.push(Message::new(Role::User, prompt.to_owned()));
    }
    for item in list(field(body, "input")) {
        responses_item(&mut messages, item);
    }
    messages
}

/// Reasoning, text and calls of one model call are items of their own here; they become one message again.
fn responses_item(messages: &mut Vec<Message>, item: &Value) {
    match field(item, "type").as_str().unwrap_or("message") {
        "reasoning" => {
            let summary = list(field(item, "summary")).map(|part| string(field(part, "text"))).collect::<String>();
            messages.push(Message { reasoning: summary, ..Message::new(Role::Assistant, String::new()) });
        }
        "function_call" => open_assistant(messages, |_| true).tool_calls.push(RequestedCall {
            id: string(field(item, "call_id")),
            name: string(field(item, "name")),
            arguments: string(field(item, "arguments")),
        }),
        "function_call_output" => messages.push(Message::result(field(item, "call_id"), field(item, "output"))),
        "message" if field(item, "role") == "assistant" => {
            let text = text_of(field(item, "content"));
            open_assistant(messages, |last| last.text.is_empty() && last.tool_calls.is_empty()).text = text;
        }
        "message" => {
            let role = Role::parse(field(item, "role").as_str().unwrap_or_default());
            messages.push(Message::new(role, text_of(field(item, "content"))));
        }
        _ => {}
    }
}

/// The assistant's message at the end if `fits`, else a new one.
fn open_assistant(messages: &mut Vec<Message>, fits: fn(&Message) -> bool) -> &mut Message {
    let open = messages.pop_if(|last| last.role == Role::Assistant && fits(last));
    messages.push_mut(open.unwrap_or_else(|| Message::new(Role::Assistant, String::new())))
}

fn anthropic(body: &Value) -> Vec<Message> {
    let mut messages = Vec::new();
    let system = text_of(field(body, "system"));
    if !system.is_empty() {
        messages.push(Message::new(Role::System, system));
    }
    for entry in list(field(body, "messages")) {
        anthropic_message(&mut messages, entry);
    }
    messages
}

/// Results of tools stand in a user's message here; each becomes a message of its own, before the user's text.
fn anthropic_message(messages: &mut Vec<Message>, entry: &Value) {
    let content = field(entry, "content");
    let of_type = |kind: &'static str| list(content).filter(move |block| field(block, "type") == kind);
    let before = messages.len();
    messages.extend(
        of_type("tool_result").map(|block| Message::result(field(block, "tool_use_id"), field(block, "content"))),
    );
    let call = |block: &Value| RequestedCall {
        id: string(field(block, "id")),
        name: string(field(block, "name")),
        arguments: field(block, "input").to_string(),
    };
    let message = Message {
        reasoning: of_type("thinking").map(|block| string(field(block, "thinking"))).collect(),
        tool_calls: of_type("tool_use").map(call).collect(),
        ..Message::new(Role::parse(field(entry, "role").as_str().unwrap_or_default()), text_of(content))
    };
    if messages.len() == before || !message.text.is_empty() {
        messages.push(message);
    }
}

fn gemini(body: &Value) -> Vec<Message> {
    let mut messages = Vec::new();
    let system = text_of(field(field(body, "systemInstruction"), "parts"));
    if !system.is_empty() {
        messages.push(Message::new(Role::System, system));
    }
    for content in list(field(body, "contents")) {
        gemini_content(&mut messages, content);
    }
    messages
}

/// Results stand in a user's content here, as with Anthropic; thoughts are texts with a mark.
fn gemini_content(messages: &mut Vec<Message>, content: &Value) {
    let parts = || list(field(content, "parts"));
    let before = messages.len();
    messages.extend(parts().filter_map(|part| part.get("functionResponse")).map(|response| Message {
        answers: Some(string(field(response, "id"))),
        ..Message::new(Role::Tool, outcome(field(response, "response")))
    }));
    let texts = |thought: bool| {
        let wanted = move |part: &&Value| field(part, "thought").as_bool().unwrap_or_default() == thought;
        parts().filter(wanted).map(|part| string(field(part, "text"))).collect::<String>()
    };
    let call = |call: &Value| RequestedCall {
        id: string(field(call, "id")),
        name: string(field(call, "name")),
        arguments: field(call, "args").to_string(),
    };
    let role = if field(content, "role") == "model" { Role::Assistant } else { Role::User };
    let message = Message {
        reasoning: texts(true),
        tool_calls: parts().filter_map(|part| part.get("functionCall")).map(call).collect(),
        ..Message::new(role, texts(false))
    };
    if messages.len() == before || !message.is_empty() {
        messages.push(message);
    }
}

/// What a function has answered: an object, of which the API's reference names these keys, and any other is a result too.
fn outcome(response: &Value) -> String {
    let said = ["output", "result", "error"].into_iter().find_map(|key| field(response, key).as_str());
    said.map_or_else(|| response.to_string(), str::to_owned)
}

/// The text of a content: a string, or the `text` of its parts.
fn text_of(content: &Value) -> String {
    let part = |part: &Value| field(part, "text").as_str().map(str::to_owned);
    content.as_str().map_or_else(|| list(content).filter_map(part).collect(), str::to_owned)
}

/// The value of a key; `null` when there is none.
pub(crate) fn field<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
