//! What a turn asks for, checked before anything is sent.

use crate::config::{Auth, Config};
use crate::failure::Failure;
use llm_provider_core::classify::Fault;
use llm_provider_core::digest::{Digest, Fields, fingerprint};
use llm_provider_core::offer::{self, OfferedTool};
use llm_provider_guest::provider::{Sampling, ToolChoice, TurnOptions};
use llm_provider_guest::types::{Milliseconds, Tool, ToolOwner};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// The options of a turn that decide what its server session must look like.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) model: Option<String>,
    pub(crate) system: String,
    pub(crate) tools: Vec<OfferedTool>,
    /// Who runs them.
    pub(crate) owner: ToolOwner,
    /// Tools of the CLI's own that are on.
    pub(crate) provider_tools: Vec<String>,
    pub(crate) effort: Option<String>,
    pub(crate) max_output_tokens: Option<u32>,
    /// The schema of the answer. It goes out with each prompt, so it does not count for the session.
    pub(crate) output_schema: Option<Box<RawValue>>,
    pub(crate) activity_timeout: Milliseconds,
    /// Same options, same fingerprint.
    pub(crate) print: Digest,
}

impl Options {
    /// Takes the options of a turn.
    pub(crate) fn check(options: TurnOptions, config: &Config) -> Result<Self, Failure> {
        let model = options.model.or_else(|| config.model.clone()).filter(|model| !model.is_empty());
        if model.is_none() && matches!(config.auth, Auth::Byok(_)) {
            return Err(invalid("no model is named: an endpoint of one's own has no default"));
        }
        let cannot = [
            (options.sampling != Sampling::default(), "sampling options such as a temperature"),
            (!options.stop_sequences.is_empty(), "stop sequences"),
            (matches!(options.tool_choice, ToolChoice::Required | ToolChoice::Named(_)), "a tool that must be called"),
        ];
        if let Some((_, what)) = cannot.into_iter().find(|(asked, _)| *asked) {
            return Err(unsupported(&format!("the Copilot CLI has no place for {what}; leave it out")));
        }
        // It cannot be told to leave tools alone; what it does not have it cannot call.
        let tools = if options.tool_choice == ToolChoice::None { Vec::new() } else { options.tools };
        let max_output_tokens = max_output_tokens(options.max_output_tokens, config)?;
        let effort = options.reasoning_effort.map(offer::effort);
        let system = options.system.unwrap_or_default();
        let provider_tools = provider_tools(options.provider_tools, &tools)?;
        let print = Fields::new("options")
            .optional(model.as_deref().map(str::as_bytes))
            .field(system.as_bytes())
            .field(fingerprint(&tools).hex(32).as_bytes())
            .optional(effort.as_deref().map(str::as_bytes))
            .field(&max_output_tokens.unwrap_or(0).to_le_bytes());
        let print = provider_tools.iter().fold(print, |print, name| print.field(name.as_bytes())).digest();
        Ok(Self {
            model,
            system,
            tools: offer::tools(tools).map_err(|error| invalid(&error.to_string()))?,
            owner: options.tool_owner,
            provider_tools,
            effort,
            max_output_tokens,
            output_schema: options.output_schema.map(schema).transpose()?,
            activity_timeout: options.activity_timeout.filter(|ms| *ms > 0).unwrap_or(config.activity_timeout_ms),
            print,
        })
    }

    /// Whether a tool of this name is offered.
    pub(crate) fn offers(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.name == name)
    }
}

fn max_output_tokens(asked: Option<u32>, config: &Config) -> Result<Option<u32>, Failure> {
    match (&config.auth, asked) {
        (_, Some(0)) => Err(invalid("max-output-tokens must be more than 0")),
        (Auth::Byok(byok), asked) => Ok(asked.or(byok.max_output_tokens)),
        (Auth::Github(_), None) => Ok(None),
        (Auth::Github(_), Some(_)) => {
            Err(unsupported("GitHub Copilot has no place for max-output-tokens; leave it out"))
        }
    }
}

/// The CLI's own tools in order, none of them under a name that the caller uses too.
fn provider_tools(names: Vec<String>, offered: &[Tool]) -> Result<Vec<String>, Failure> {
    let names: BTreeSet<String> = names.into_iter().collect();
    if let Some(both) = offered.iter().find(|tool| names.contains(&tool.name)) {
        let name = both.name.escape_debug();
        return Err(invalid(&format!("the tool `{name}` is offered by the caller and turned on in the Copilot CLI")));
    }
    Ok(names.into_iter().collect())
}

fn schema(schema: String) -> Result<Box<RawValue>, Failure> {
    offer::output_schema(schema).map_err(|error| invalid(&error.to_string()))
}

fn invalid(message: &str) -> Failure {
    Failure::of(Fault::Invalid, message)
}

fn unsupported(message: &str) -> Failure {
    Failure::of(Fault::Unsupported, message)
}
