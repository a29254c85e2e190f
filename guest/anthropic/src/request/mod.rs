//! The body of a request: `POST /v1/messages`.

mod history;
mod options;
mod thinking;

use crate::config::{Config, PromptCache};
use history::{Content, Turn};
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::Ask;
use llm_provider_core::offer::OfferedTool;
use llm_provider_guest::provider::ToolChoice;
use serde::Serialize;
use serde_json::value::RawValue;
use thinking::{Plan, Thinking};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Marked<Content<'a>>; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Marked<Tool<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    messages: Vec<Turn<'a>>,
}

/// Something that may end a part of the request that the service keeps. A request may have four such marks; this writes
/// three at most: after the tools, the system prompt and the history, in the order in which the model reads them.
#[derive(Serialize)]
struct Marked<T> {
    #[serde(flatten)]
    what: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum CacheControl {
    Ephemeral,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: &'a RawValue,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Choice<'a> {
    None,
    Any,
    Tool { name: &'a str },
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format<'a> {
    JsonSchema { schema: &'a RawValue },
}

impl<T> Marked<T> {
    fn plain(what: T) -> Self {
        Self { what, cache_control: None }
    }

    fn mark(&mut self) {
        self.cache_control = Some(CacheControl::Ephemeral);
    }
}

/// Writes the body.
pub(crate) fn body(config: &Config, ask: &Ask) -> Result<Vec<u8>, Failure> {
    let plan = Plan::of(config, ask)?;
    options::check(ask, plan.thinks())?;
    let mut body = Body {
        model: &ask.model,
        max_tokens: plan.max_tokens,
        stream: true,
        system: ask.system.as_deref().map(|text| [Marked::plain(Content::Text { text })]),
        tools: ask.tools.iter().map(tool).collect(),
        tool_choice: choice(ask),
        thinking: plan.thinking,
        output_config: output_config(ask, plan.effort),
        temperature: ask.sampling.temperature,
        top_p: ask.sampling.top_p,
        top_k: ask.sampling.top_k,
        stop_sequences: &ask.stop_sequences,
        messages: history::turns(&ask.messages)?,
    };
    if config.prompt_cache == PromptCache::Ephemeral {
        body.mark();
    }
    serde_json::to_vec(&body)
        .map_err(|error| Failure::of(Fault::Invalid, format!("the request cannot be written as JSON: {error}")))
}

impl Body<'_> {
    fn mark(&mut self) {
        self.tools.last_mut().map(Marked::mark);
        self.system.iter_mut().flatten().for_each(Marked::mark);
        let last = self.messages.last_mut().and_then(|turn| turn.content.last_mut());
        last.filter(|block| block.what.can_be_marked()).map(Marked::mark);
    }
}

fn tool(tool: &OfferedTool) -> Marked<Tool<'_>> {
    Marked::plain(Tool { name: &tool.name, description: &tool.description, input_schema: &tool.parameters })
}

/// What the API is told about the choice: nothing where it does that by itself.
fn choice(ask: &Ask) -> Option<Choice<'_>> {
    match &ask.tool_choice {
        _ if ask.tools.is_empty() => None,
        ToolChoice::Auto => None,
        ToolChoice::None => Some(Choice::None),
        ToolChoice::Required => Some(Choice::Any),
        ToolChoice::Named(name) => Some(Choice::Tool { name }),
    }
}

fn output_config<'a>(ask: &'a Ask, effort: Option<&'a str>) -> Option<OutputConfig<'a>> {
    let format = ask.output_schema.as_deref().map(|schema| Format::JsonSchema { schema });
    (effort.is_some() || format.is_some()).then_some(OutputConfig { effort, format })
}
