//! What a turn offers and asks for, checked once for every dialect.

use llm_provider_guest::provider::ReasoningEffort;
use llm_provider_guest::types::Tool;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// A tool with its schema ready to be written.
#[derive(Clone, Debug)]
pub struct OfferedTool {
    /// Its name: ASCII letters, digits, `_` and `-`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// The schema of its arguments: a JSON object.
    pub parameters: Box<RawValue>,
}

/// What is wrong with an offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// A name with other characters than every provider takes.
    #[error("the tool name `{0}` may have ASCII letters, digits, `_` and `-` only")]
    Name(String),
    /// Two tools of one name.
    #[error("the tool `{0}` is offered twice")]
    Twice(String),
    /// The parameters are no JSON object.
    #[error("the parameters of the tool `{0}` are not a JSON object")]
    Parameters(String),
    /// The schema of the answer is no JSON object.
    #[error("output-schema is not a JSON object")]
    OutputSchema,
}

/// Checks the tools of a turn.
///
/// # Errors
/// When a name or a schema is none, or a name comes twice.
pub fn tools(tools: Vec<Tool>) -> Result<Vec<OfferedTool>, OfferError> {
    let mut names = BTreeSet::new();
    tools.into_iter().map(|tool| offered(tool, &mut names)).collect()
}

fn offered(tool: Tool, names: &mut BTreeSet<String>) -> Result<OfferedTool, OfferError> {
    let name = || tool.name.escape_debug().to_string();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if tool.name.is_empty() || !tool.name.bytes().all(allowed) {
        return Err(OfferError::Name(name()));
    }
    if !names.insert(tool.name.clone()) {
        return Err(OfferError::Twice(name()));
    }
    let parameters = object(tool.parameters).ok_or_else(|| OfferError::Parameters(tool.name.clone()))?;
    Ok(OfferedTool { name: tool.name, description: tool.description, parameters })
}

/// Checks the schema that an answer must follow.
///
/// # Errors
/// When it is no JSON object.
pub fn output_schema(schema: String) -> Result<Box<RawValue>, OfferError> {
    object(schema).ok_or(OfferError::OutputSchema)
}

fn object(json: String) -> Option<Box<RawValue>> {
    RawValue::from_string(json).ok().filter(|json| json.get().starts_with('{'))
}

/// The name that providers give a level of effort.
#[must_use]
pub fn effort(effort: ReasoningEffort) -> String {
    match effort {
        ReasoningEffort::Minimal => "minimal".to_owned(),
        ReasoningEffort::Low => "low".to_owned(),
        ReasoningEffort::Medium => "medium".to_owned(),
        ReasoningEffort::High => "high".to_owned(),
        ReasoningEffort::Other(name) => name,
    }
}
