//! What a turn asks for: whether it can be had, and what the CLI must be told.

use super::session::Server;
use crate::config::{Auth, Config};
use crate::failure::Failure;
use crate::prompt;
use llm_provider_core::classify::Fault;
use llm_provider_core::digest::Chain;
use llm_provider_core::history;
use llm_provider_core::offer;
use llm_provider_guest::provider::{ReasoningEffort, Sampling, ToolChoice, TurnOptions};
use llm_provider_guest::types::{Block, Message, Milliseconds, Role};

/// What the CLI's flag `--reasoning-effort` takes.
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// The options of a turn, as far as one-shot processes have a place for them.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) model: Option<String>,
    pub(super) effort: Option<String>,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) activity_timeout: Milliseconds,
}

impl Ask {
    /// Takes the options of a turn.
    pub(super) fn check(options: TurnOptions, config: &Config) -> Result<Self, Failure> {
        refuse(&options)?;
        let model = options.model.or_else(|| config.model.clone()).filter(|model| !model.is_empty());
        if model.is_none() && matches!(config.auth, Auth::Byok(_)) {
            return Err(invalid("no model is named: an endpoint of one's own has no default"));
        }
        if model.as_ref().is_some_and(|model| model.starts_with('-') || model.contains(char::is_control)) {
            return Err(invalid("the model's name is none: it begins with `-` or has control characters"));
        }
        Ok(Self {
            model,
            effort: options.reasoning_effort.map(effort).transpose()?,
            max_output_tokens: max_output_tokens(options.max_output_tokens, config)?,
            activity_timeout: options.activity_timeout.filter(|ms| *ms > 0).unwrap_or(config.activity_timeout_ms),
        })
    }
}

/// There is no flag for any of these.
fn refuse(options: &TurnOptions) -> Result<(), Failure> {
    let cannot = [
        (!options.tools.is_empty(), "offer tools"),
        (!options.provider_tools.is_empty(), "turn on its own tools one by one"),
        (options.system.as_ref().is_some_and(|system| !system.is_empty()), "take a system prompt"),
        (options.sampling != Sampling::default(), "be told how to choose its words"),
        (!options.stop_sequences.is_empty(), "stop at a text"),
        (options.tool_choice != ToolChoice::Auto, "be told which tool to call"),
        (options.output_schema.is_some(), "hold an answer to a schema"),
    ];
    match cannot.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(unsupported(what)),
        None => Ok(()),
    }
}

fn effort(effort: ReasoningEffort) -> Result<String, Failure> {
    let name = offer::effort(effort);
    if EFFORTS.contains(&name.as_str()) {
        Ok(name)
    } else {
        Err(unsupported(&format!("think as hard as `{}`; it knows {}", name.escape_debug(), EFFORTS.join(", "))))
    }
}

fn max_output_tokens(asked: Option<u32>, config: &Config) -> Result<Option<u32>, Failure> {
    match (&config.auth, asked) {
        (_, Some(0)) => Err(invalid("max-output-tokens must be more than 0")),
        (Auth::Byok(byok), asked) => Ok(asked.or(byok.max_output_tokens)),
        (Auth::Github(_), None) => Ok(None),
        (Auth::Github(_), Some(_)) => Err(unsupported("limit the output of GitHub's models")),
    }
}

/// How a turn gets to the model.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The CLI has the conversation so far: give it this.
    Append { prompt: String },
    /// A new conversation for the CLI. `reseeded` when there was an earlier one to carry over.
    Create { prompt: String, reseeded: bool },
}

/// Decides. `nonce` must be new for every history.
pub(super) fn plan(
    history: &[Message],
    server: Option<&Server>,
    nonce: impl FnOnce() -> String,
) -> Result<Plan, Failure> {
    let split = history.iter().rposition(|message| message.role == Role::Assistant).map_or(0, |at| at + 1);
    let (earlier, new) = history.split_at_checked(split).unwrap_or((&[], history));
    let has =
        |messages: &[Message], is: fn(&Block) -> bool| messages.iter().any(|message| message.blocks.iter().any(is));
    if has(history, |block| matches!(block, Block::Image(_))) {
        return Err(unsupported("see images"));
    }
    if has(new, |block| matches!(block, Block::ToolResult(_))) {
        return Err(unsupported("take the results of tools"));
    }
    let asked = prompt::text(new);
    // The CLI takes white space alone for no prompt at all, and then says so.
    if asked.trim().is_empty() {
        return Err(invalid("the history has nothing to answer: it must end with a message of the user"));
    }
    let chain = Chain::default().extend(earlier);
    if server.is_some_and(|server| server.has == chain) {
        return Ok(Plan::Append { prompt: asked });
    }
    let mut prompt = history::render(earlier, &nonce());
    let reseeded = !prompt.is_empty();
    prompt.push_str(&asked);
    Ok(Plan::Create { prompt, reseeded })
}

fn invalid(message: &str) -> Failure {
    Failure::of(Fault::Invalid, message)
}

fn unsupported(what: &str) -> Failure {
    let message = format!("the Copilot CLI cannot {what} in the mode `one-shot`");
    Failure::of(Fault::Unsupported, message).with_hint(Some("use the mode `server`, or leave it out".to_owned()))
}
