//! The body of a request: `POST /v1beta/models/{model}:streamGenerateContent`.

mod contents;
mod options;
mod signed;

use crate::config::{Config, SafetySetting};
use crate::generation::Generation;
use contents::Content;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::Ask;
use llm_provider_guest::provider::ToolChoice;
use options::GenerationConfig;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<System<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tools<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "<[SafetySetting]>::is_empty")]
    safety_settings: &'a [SafetySetting],
    #[serde(skip_serializing_if = "GenerationConfig::is_empty")]
    generation_config: GenerationConfig<'a>,
}

#[derive(Serialize)]
struct System<'a> {
    parts: [SystemText<'a>; 1],
}

#[derive(Serialize)]
struct SystemText<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Function<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    /// The field `parameters` takes a dialect of schemas of its own; this one takes JSON schema.
    parameters_json_schema: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: Calling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'a str; 1]>,
}

/// Writes the body.
pub(crate) fn body(config: &Config, ask: &Ask) -> Result<Vec<u8>, Failure> {
    let generation = Generation::of(config, &ask.model);
    let mut contents = contents::of(&ask.messages)?;
    if generation.checks_signatures {
        signed::complete(&mut contents);
    }
    let body = Body {
        contents,
        system_instruction: ask.system.as_deref().map(|text| System { parts: [SystemText { text }] }),
        tools: tools(ask),
        tool_config: choice(ask),
        safety_settings: &config.safety_settings,
        generation_config: GenerationConfig::of(ask, generation)?,
    };
    serde_json::to_vec(&body)
        .map_err(|error| Failure::of(Fault::Invalid, format!("the request cannot be written as JSON: {error}")))
}

fn tools(ask: &Ask) -> Option<[Tools<'_>; 1]> {
    let functions = ask.tools.iter().map(|tool| Function {
        name: &tool.name,
        description: &tool.description,
        parameters_json_schema: &tool.parameters,
    });
    (!ask.tools.is_empty()).then(|| [Tools { function_declarations: functions.collect() }])
}

/// What the API is told about the choice: nothing where it does that by itself.
fn choice(ask: &Ask) -> Option<ToolConfig<'_>> {
    let (mode, only) = match &ask.tool_choice {
        _ if ask.tools.is_empty() => return None,
        ToolChoice::Auto => return None,
        ToolChoice::None => ("NONE", None),
        ToolChoice::Required => ("ANY", None),
        ToolChoice::Named(name) => ("ANY", Some([name.as_str()])),
    };
    Some(ToolConfig { function_calling_config: Calling { mode, allowed_function_names: only } })
}
