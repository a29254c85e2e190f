//! What of a history the server has, and what it must be told.

use crate::failure::Failure;
use crate::prompt;
use llm_provider_core::classify::Fault;
use llm_provider_core::digest::{Chain, Digest};
use llm_provider_core::history;
use llm_provider_guest::types::{Block, Message, Role};

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
}

/// How a turn gets to the model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The session is as it should be: send this.
    Append { prompt: String },
    /// The session's history is right but its options are not: take it up again with others, then send this.
    Resume { prompt: String },
    /// A new session. `reseeded` when there was an earlier conversation to carry over.
    Create { prompt: String, reseeded: bool },
}

/// Decides. `nonce` must be new for every history.
pub(crate) fn plan(
    history: &[Message],
    server: Option<&Server>,
    options: Digest,
    nonce: impl FnOnce() -> String,
) -> Result<Plan, Failure> {
    let split = check(history)?;
    let chains = Chain::prefixes(history);
    let new_after = server.and_then(|server| {
        (split..history.len()).find(|at| chains.get(*at).is_some_and(|chain| server.known.contains(chain)))
    });
    if let (Some(server), Some(at)) = (server, new_after) {
        let prompt = prompt::text(history.get(at..).unwrap_or_default());
        if prompt.is_empty() {
            return Err(unanswerable());
        }
        if server.options == options {
            return Ok(Plan::Append { prompt });
        }
        if server.durable {
            return Ok(Plan::Resume { prompt });
        }
    }
    let (earlier, new) = history.split_at_checked(split).unwrap_or((&[], history));
    let mut prompt = history::render(earlier, &nonce());
    let reseeded = !prompt.is_empty();
    let asked = prompt::text(new);
    if asked.is_empty() {
        return Err(unanswerable());
    }
    prompt.push_str(&asked);
    Ok(Plan::Create { prompt, reseeded })
}

/// Where the messages begin that are to be answered.
fn check(history: &[Message]) -> Result<usize, Failure> {
    let split = history.iter().rposition(|message| message.role == Role::Assistant).map_or(0, |at| at + 1);
    if split >= history.len() {
        return Err(unanswerable());
    }
    for message in history {
        if message.blocks.iter().any(|block| matches!(block, Block::Image(_))) {
            return Err(Failure::of(Fault::Unsupported, "images are not supported yet by this plugin"));
        }
    }
    let results = |message: &Message| message.blocks.iter().any(|block| matches!(block, Block::ToolResult(_)));
    if history.get(split..).unwrap_or_default().iter().any(results) {
        return Err(Failure::of(
            Fault::Unsupported,
            "a turn that begins with tool results is not supported yet by this plugin",
        ));
    }
    Ok(split)
}

fn unanswerable() -> Failure {
    Failure::of(Fault::Invalid, "the history has nothing to answer: it must end with a message of the user")
}
