//! From a turn to the first model call: what can be refused without knowing the dialect is refused here.

use super::dialect::{Ask, Settings};
use crate::classify::{Failure, Fault};
use crate::digest::Fields;
use crate::offer;
use llm_provider_guest::provider::{Sampling, ToolChoice, TurnOptions};
use llm_provider_guest::types::{Block, Message, Role, ToolResult, TurnId};

/// What the model is told of a call without a result. An answer that ran into its limit, or that a filter stopped, may hold
/// calls that nobody ran; another provider's may hold calls whose results stayed there.
const WITHOUT_RESULT: &str = "There is no result of this call: it did not run, or its result was not kept.";

/// The first model call of a turn.
pub(super) fn ask(
    history: Vec<Message>,
    options: TurnOptions,
    settings: &Settings,
    key: String,
) -> Result<Ask, Failure> {
    let model = options.model.or_else(|| settings.model.clone());
    let model = model.ok_or_else(|| invalid("no model is named, and the configuration has no default"))?;
    if model.is_empty() {
        return Err(invalid("the name of the model is empty"));
    }
    if !options.provider_tools.is_empty() {
        return Err(Failure::of(Fault::Unsupported, "this provider has no tools of its own that could be turned on"));
    }
    if options.max_output_tokens == Some(0) {
        return Err(invalid("max-output-tokens must be more than 0"));
    }
    if options.stop_sequences.iter().any(String::is_empty) {
        return Err(invalid("a stop sequence is empty"));
    }
    finite(&options.sampling)?;
    let mut messages = spoken(history);
    for gap in answerable(&messages)? {
        gap.fill(&mut messages);
    }
    let tools = offer::tools(options.tools).map_err(|error| invalid(error.to_string()))?;
    let schema = options.output_schema.map(offer::output_schema).transpose();
    Ok(Ask {
        model,
        system: options.system.filter(|system| !system.is_empty()),
        tool_choice: choice(options.tool_choice, &tools)?,
        messages,
        tools,
        max_output_tokens: options.max_output_tokens,
        effort: options.reasoning_effort.map(offer::effort),
        sampling: options.sampling,
        stop_sequences: options.stop_sequences,
        output_schema: schema.map_err(|error| invalid(error.to_string()))?,
        key,
    })
}

/// A name for a model call that no other call of any instance has: the seed is the instance's own.
pub(super) fn call_key(seed: u64, turn: TurnId, round: u32) -> String {
    let fields = Fields::new("model-call").field(&seed.to_le_bytes()).field(&turn.to_le_bytes());
    fields.field(&round.to_le_bytes()).digest().hex(16)
}

fn choice(choice: ToolChoice, tools: &[offer::OfferedTool]) -> Result<ToolChoice, Failure> {
    match choice {
        ToolChoice::Auto | ToolChoice::None if tools.is_empty() => Ok(ToolChoice::Auto),
        ToolChoice::Required if tools.is_empty() => Err(invalid("a tool is required and none is offered")),
        ToolChoice::Named(name) if !tools.iter().any(|tool| tool.name == name) => {
            Err(invalid(format!("the tool `{}` is required and not offered", name.escape_debug())))
        }
        choice => Ok(choice),
    }
}

/// A number that is none would become `null` in JSON and be ignored.
fn finite(sampling: &Sampling) -> Result<(), Failure> {
    let Sampling { temperature, top_p, frequency_penalty, presence_penalty, top_k: _, seed: _ } = sampling;
    let numbers = [temperature, top_p, frequency_penalty, presence_penalty];
    if numbers.into_iter().flatten().all(|number| number.is_finite()) {
        return Ok(());
    }
    Err(invalid("a sampling option is not a finite number"))
}

/// The conversation without what says nothing: services refuse texts and messages that are empty, and answers have them.
fn spoken(history: Vec<Message>) -> Vec<Message> {
    let spoken = history.into_iter().map(|mut message| {
        message.blocks.retain(says_something);
        message
    });
    spoken.filter(|message| !message.blocks.is_empty()).collect()
}

/// Whether a block has anything for the model.
pub(super) fn says_something(block: &Block) -> bool {
    match block {
        Block::Text(text) => !text.text.is_empty(),
        Block::Thinking(thinking) => !thinking.text.is_empty() || thinking.signature.is_some(),
        Block::Image(_) | Block::ToolCall(_) | Block::ToolResult(_) => true,
    }
}

/// Calls that got no result before the model spoke again, with the message of the user that should have had it.
struct Gap {
    at: usize,
    calls: Vec<String>,
}

/// A conversation ends with something to answer, and results belong to calls that wait for them. Providers refuse anything
/// else with errors that do not name the call. Gives the gaps, which are filled: a caller cannot.
fn answerable(history: &[Message]) -> Result<Vec<Gap>, Failure> {
    match history.last() {
        Some(message) if message.role == Role::User => {}
        Some(_) => return Err(invalid("the history does not end with anything to answer")),
        None => return Err(invalid("the history is empty: there is nothing to answer")),
    }
    let (mut gaps, mut waiting) = (Vec::new(), Vec::new());
    let (mut speaker, mut answered_at) = (Role::User, 0);
    for (at, message) in history.iter().enumerate() {
        match (speaker, message.role) {
            (Role::User, Role::Assistant) => gaps.extend(Gap::of(answered_at, &mut waiting)),
            (Role::Assistant, Role::User) => answered_at = at,
            (Role::User, Role::User) | (Role::Assistant, Role::Assistant) => {}
        }
        speaker = message.role;
        message.blocks.iter().try_for_each(|block| take(block, speaker, &mut waiting))?;
    }
    gaps.extend(Gap::of(answered_at, &mut waiting));
    Ok(gaps)
}

/// Notes a call that waits for its result from here on, or a result that one waited for.
fn take<'a>(block: &'a Block, speaker: Role, waiting: &mut Vec<&'a str>) -> Result<(), Failure> {
    match (block, speaker) {
        (Block::ToolCall(call), Role::Assistant) if waiting.contains(&call.id.as_str()) => {
            Err(wrong_call(&call.id, "is made twice at once"))
        }
        (Block::ToolCall(call), Role::Assistant) => {
            waiting.push(&call.id);
            Ok(())
        }
        (Block::ToolCall(call), Role::User) => Err(wrong_call(&call.id, "is made by the user")),
        (Block::ToolResult(result), Role::User) => match waiting.iter().position(|id| *id == result.call_id) {
            Some(at) => {
                waiting.remove(at);
                Ok(())
            }
            None => Err(wrong_call(&result.call_id, "has a result that it is not waiting for")),
        },
        (Block::ToolResult(result), Role::Assistant) => {
            Err(wrong_call(&result.call_id, "has a result from the assistant"))
        }
        (Block::Text(_) | Block::Thinking(_) | Block::Image(_), _) => Ok(()),
    }
}

impl Gap {
    fn of(at: usize, waiting: &mut Vec<&str>) -> Option<Self> {
        let calls: Vec<String> = waiting.drain(..).map(str::to_owned).collect();
        (!calls.is_empty()).then_some(Self { at, calls })
    }

    /// Says in the place of each result that there is none, before whatever else the user says.
    fn fill(self, history: &mut [Message]) {
        let none =
            |call_id| Block::ToolResult(ToolResult { call_id, content: WITHOUT_RESULT.to_owned(), is_error: true });
        if let Some(message) = history.get_mut(self.at) {
            message.blocks.splice(0..0, self.calls.into_iter().map(none));
        }
    }
}

fn wrong_call(id: &str, what: &str) -> Failure {
    invalid(format!("the call `{}` in the history {what}", id.escape_debug()))
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::of(Fault::Invalid, message)
}
