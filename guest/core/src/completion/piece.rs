//! What a reader finds in an answer, in terms that are nobody's dialect.

use crate::turn::Kind;
use llm_provider_guest::types::{FinishReason, Usage};

/// A reader's own number for a block, such as the index that the service gives it. Unique within one answer.
pub type BlockKey = u64;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// The model that answers, where the service says so.
    Model(String),
    /// The service's name for the answer, where it says so in the answer. It counts before one in a header.
    Name(String),
    /// A block begins. Blocks may be open at the same time; each is begun once.
    Open(BlockKey, Kind),
    /// More of its text, or of the JSON of a call's arguments.
    Delta(BlockKey, String),
    /// It is complete; with the opaque proof of a thinking block, to be handed back unchanged in later turns.
    Close(BlockKey, Option<String>),
    /// What the call has cost so far. The last one counts, so a reader may tell it early and again.
    Usage(Usage),
    /// Why the model stopped; `tool-calls` when it wants its calls answered. The last one counts.
    Stopped(FinishReason),
    /// Something this dialect's reader does not know was ignored.
    Unknown,
}
