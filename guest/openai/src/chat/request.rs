//! The body of a request.

use super::message::{Message, messages};
use crate::address::Address;
use crate::config::{Config, MaxTokensField};
use crate::outgoing::{post, unsupported};
use llm_provider_core::classify::Failure;
use llm_provider_core::completion::Ask;
use llm_provider_core::offer::OfferedTool;
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::ToolChoice;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Typed<Function<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

/// `{"type": "function", "function": ...}`.
#[derive(Serialize)]
struct Typed<F> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: F,
}

impl<F> Typed<F> {
    fn function(function: F) -> Self {
        Self { kind: "function", function }
    }
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a RawValue,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Word(&'static str),
    Named(Typed<Named<'a>>),
}

#[derive(Serialize)]
struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: Schema<'a>,
}

#[derive(Serialize)]
struct Schema<'a> {
    name: &'static str,
    schema: &'a RawValue,
    strict: bool,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// Writes the request of a model call.
pub(crate) fn request(config: &Config, address: &Address, ask: &Ask) -> Result<Request, Failure> {
    if ask.sampling.top_k.is_some() {
        return Err(unsupported("the API of chat completions", "top-k"));
    }
    let limit = |field| ask.max_output_tokens.filter(|_| config.max_tokens_field() == field);
    let schema = |schema| Schema { name: SCHEMA_NAME, schema, strict: config.strict_output_schema };
    let body = Body {
        model: &ask.model,
        messages: messages(ask)?,
        tools: ask.tools.iter().map(tool).collect(),
        tool_choice: choice(&ask.tool_choice),
        max_completion_tokens: limit(MaxTokensField::MaxCompletionTokens),
        max_tokens: limit(MaxTokensField::MaxTokens),
        reasoning_effort: ask.effort.as_deref(),
        response_format: ask
            .output_schema
            .as_deref()
            .map(|json| Format { kind: "json_schema", json_schema: schema(json) }),
        temperature: ask.sampling.temperature,
        top_p: ask.sampling.top_p,
        frequency_penalty: ask.sampling.frequency_penalty,
        presence_penalty: ask.sampling.presence_penalty,
        seed: ask.sampling.seed,
        stop: &ask.stop_sequences,
        stream: true,
        stream_options: config.stream_usage.then_some(StreamOptions { include_usage: true }),
    };
    post(config, address.chat_completions(&ask.model), &ask.key, &body)
}

/// The API wants a name for the schema and shows it to nobody but the model.
const SCHEMA_NAME: &str = "answer";

fn tool(tool: &OfferedTool) -> Typed<Function<'_>> {
    let OfferedTool { name, description, parameters } = tool;
    Typed::function(Function { name, description, parameters })
}

/// `auto` is what happens when nothing is said, and services without tools refuse the word.
fn choice(choice: &ToolChoice) -> Option<Choice<'_>> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(Choice::Word("none")),
        ToolChoice::Required => Some(Choice::Word("required")),
        ToolChoice::Named(name) => Some(Choice::Named(Typed::function(Named { name }))),
    }
}
