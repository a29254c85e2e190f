//! What of a history the server has, and what it must be told.

use crate::failure::Failure;
use crate::prompt::Prompt;
use llm_provider_core::classify::Fault;
use llm_provider_core::digest::{Chain, Digest};
use llm_provider_core::history;
use llm_provider_guest::types::{Block, ImageSource, Message, Role, ToolResult};

/// A server session whose history is known.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Its name.
    pub(crate) name: String,
    /// What the server has, in every shape in which a caller may rightly give it back.
    pub(crate) known: Vec<Chain>,
    /// The options it was opened with.
    pub(crate) options: Digest,
    /// Whether what is on disk is what is in memory, so that it may be unloaded and taken up again.
    pub(crate) durable: bool,
    /// True when it is on disk only: the CLI that had it in memory has ended.
    pub(crate) cold: bool,
    /// The calls whose results its turn waits for.
    pub(crate) pending: Option<Pending>,
}

/// A turn of the server that is suspended until the caller brings the results of tools. It survives the end of the CLI's
/// process (PROTOCOL section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Calls, each with the CLI's name for its request, in the order of the model.
    pub(crate) calls: Vec<PendingCall>,
    /// The server's name for the prompt that the turn answers.
    pub(crate) message_id: Option<String>,
}

/// A call whose result is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingCall {
    /// The call.
    pub(crate) call: String,
    /// The CLI's name for its request.
    pub(crate) request: String,
}

/// How a turn gets to the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// The session is as it should be: send this.
    Append(Prompt),
    /// The session's history is right but its options are not, or it is not in memory: take it up again, then send this.
    Resume {
        /// What is sent.
        prompt: Prompt,
        /// Whether the CLI has it in memory and must let go of it first.
        unload: bool,
    },
    /// The session waits for these results.
    Answer(Answers),
    /// A new session. `reseeded` when there was an earlier conversation to carry over.
    Create {
        /// What is sent.
        prompt: Prompt,
        /// Whether it carries a record.
        reseeded: bool,
    },
}

/// The results of the calls a server session waits for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answers {
    /// Each with the CLI's name for the request.
    pub(crate) results: Vec<(String, ToolResult)>,
    /// What the user says besides.
    pub(crate) more: Prompt,
    /// The server's name for the prompt that the turn answers.
    pub(crate) message_id: Option<String>,
    /// Whether the session must be taken up again first.
    pub(crate) wake: bool,
}

/// Decides. `nonce` must be new for every history.
pub(crate) fn plan(
    history: &[Message],
    server: Option<&Server>,
    options: Digest,
    nonce: impl FnOnce() -> String,
) -> Result<Plan, Failure> {
    check(history)?;
    let kept = server.and_then(|server| keep(history, server, options));
    match kept {
        Some(plan) => Ok(plan),
        None => create(history, nonce),
    }
}

/// A new session that carries the whole conversation.
pub(crate) fn create(history: &[Message], nonce: impl FnOnce() -> String) -> Result<Plan, Failure> {
    let said = |message: &Message| message.role == Role::Assistant || has_results(message);
    let split = history.iter().rposition(said).map_or(0, |at| at + 1);
    let (earlier, new) = history.split_at_checked(split).unwrap_or((&[], history));
    let asked = Prompt::of(earlier, new);
    if !asked.is_empty() {
        let record = history::render(earlier, &nonce());
        let reseeded = !record.is_empty();
        return Ok(Plan::Create { prompt: Prompt::record(record + &asked.text, history), reseeded });
    }
    let awaits_answer = history.last().is_some_and(|last| last.role == Role::User && has_results(last));
    if !awaits_answer {
        return Err(unanswerable());
    }
    let record = history::render_whole(history, &nonce());
    Ok(Plan::Create { prompt: Prompt::record(record, history), reseeded: true })
}

/// How the server's session can be used, if it can.
fn keep(history: &[Message], server: &Server, options: Digest) -> Option<Plan> {
    let chains = Chain::prefixes(history);
    let split = history.iter().rposition(|message| message.role == Role::Assistant).map_or(0, |at| at + 1);
    let at = (split..history.len()).find(|at| chains.get(*at).is_some_and(|chain| server.known.contains(chain)))?;
    let (before, new) = history.split_at_checked(at)?;
    if let Some(pending) = &server.pending {
        return (server.options == options).then(|| answers(before, new, pending, server.cold)).flatten();
    }
    if new.iter().any(has_results) {
        return None;
    }
    let prompt = Prompt::of(before, new);
    if prompt.is_empty() {
        return None;
    }
    if server.options == options && !server.cold {
        return Some(Plan::Append(prompt));
    }
    server.durable.then_some(Plan::Resume { prompt, unload: !server.cold })
}

/// The results that are awaited, all of them and no others, before anything else the user says. A session that is on disk
/// only is woken for results alone: whether text beside them would come in time is not known there.
fn answers(before: &[Message], new: &[Message], pending: &Pending, wake: bool) -> Option<Plan> {
    let blocks = new.iter().flat_map(|message| &message.blocks);
    let mut given: Vec<&ToolResult> = Vec::new();
    let mut text_seen = false;
    for block in blocks {
        match block {
            Block::ToolResult(_) if text_seen => return None,
            Block::ToolResult(result) => given.push(result),
            Block::Text(text) => text_seen |= !text.text.is_empty(),
            Block::Image(_) => text_seen = true,
            Block::Thinking(_) | Block::ToolCall(_) => {}
        }
    }
    if given.len() != pending.calls.len() {
        return None;
    }
    let result = |call: &PendingCall| {
        let result = given.iter().find(|result| result.call_id == call.call)?;
        Some((call.request.clone(), (*result).clone()))
    };
    let results: Option<Vec<_>> = pending.calls.iter().map(result).collect();
    let more = Prompt::of(before, new);
    if wake && !more.is_empty() {
        return None;
    }
    Some(Plan::Answer(Answers { results: results?, more, message_id: pending.message_id.clone(), wake }))
}

fn has_results(message: &Message) -> bool {
    message.blocks.iter().any(|block| matches!(block, Block::ToolResult(_)))
}

fn check(history: &[Message]) -> Result<(), Failure> {
    if history.last().is_none_or(|last| last.role == Role::Assistant) {
        return Err(unanswerable());
    }
    let blocks = || history.iter().flat_map(|message| &message.blocks);
    if blocks().any(|block| matches!(block, Block::Image(image) if matches!(image.source, ImageSource::Url(_)))) {
        let message = "the Copilot CLI takes images as data only, not by address; fetch it first";
        return Err(Failure::of(Fault::Unsupported, message));
    }
    Ok(())
}

fn unanswerable() -> Failure {
    Failure::of(Fault::Invalid, "the history has nothing to answer: it must end with a message of the user")
}
