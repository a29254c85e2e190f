//! The body of a request.

use super::input::{Item, items};
use crate::address::Address;
use crate::config::Config;
use crate::outgoing::{post, unsupported};
use llm_provider_core::classify::Failure;
use llm_provider_core::completion::Ask;
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::ToolChoice;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    /// The caller has the history, so nobody else needs to keep it ...
    store: bool,
    /// ... except for what the model thought, which only the service can read and so must come along.
    include: [&'static str; 1],
    stream: bool,
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a RawValue,
    /// The API's default is true, and then it refuses most schemas.
    strict: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Word(&'static str),
    Named {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'a str,
    },
}

#[derive(Serialize)]
struct Reasoning<'a> {
    effort: &'a str,
    summary: &'static str,
}

#[derive(Serialize)]
struct Text<'a> {
    format: Format<'a>,
}

#[derive(Serialize)]
struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    schema: &'a RawValue,
    strict: bool,
}

/// Writes the request of a model call.
pub(crate) fn request(config: &Config, address: &Address, ask: &Ask) -> Result<Request, Failure> {
    check(ask)?;
    let strict = config.strict_output_schema;
    let format = |schema| Format { kind: "json_schema", name: SCHEMA_NAME, schema, strict };
    let body = Body {
        model: &ask.model,
        instructions: ask.system.as_deref(),
        input: items(&ask.messages)?,
        tools: ask
            .tools
            .iter()
            .map(|tool| Tool {
                kind: "function",
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.parameters,
                strict: false,
            })
            .collect(),
        tool_choice: choice(&ask.tool_choice),
        max_output_tokens: ask.max_output_tokens,
        reasoning: ask.effort.as_deref().map(|effort| Reasoning { effort, summary: "auto" }),
        text: ask.output_schema.as_deref().map(|schema| Text { format: format(schema) }),
        temperature: ask.sampling.temperature,
        top_p: ask.sampling.top_p,
        store: false,
        include: ["reasoning.encrypted_content"],
        stream: true,
    };
    post(config, address.responses(), &ask.key, &body)
}

/// The API wants a name for the schema and shows it to nobody but the model.
const SCHEMA_NAME: &str = "answer";

fn check(ask: &Ask) -> Result<(), Failure> {
    let sampling = &ask.sampling;
    let cannot = [
        (sampling.top_k.is_some(), "top-k"),
        (sampling.frequency_penalty.is_some(), "a frequency penalty"),
        (sampling.presence_penalty.is_some(), "a presence penalty"),
        (sampling.seed.is_some(), "a seed"),
        (!ask.stop_sequences.is_empty(), "stop sequences"),
    ];
    match cannot.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(unsupported("the Responses API", what)),
        None => Ok(()),
    }
}

fn choice(choice: &ToolChoice) -> Option<Choice<'_>> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(Choice::Word("none")),
        ToolChoice::Required => Some(Choice::Word("required")),
        ToolChoice::Named(name) => Some(Choice::Named { kind: "function", name }),
    }
}
