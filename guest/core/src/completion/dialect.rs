//! What a dialect is to the engine: a writer of requests and a reader of answers, both pure.

use super::piece::Piece;
use crate::classify::Failure;
use crate::offer::OfferedTool;
use llm_provider_guest::catalog::Model;
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::{Sampling, Setup, ToolChoice};
use llm_provider_guest::types::{Message, Milliseconds};
use serde_json::value::RawValue;
use std::fmt::Debug;

/// One model call: everything that was said, and how to answer. What does not depend on the dialect is already checked:
/// the history is not empty and ends with something to answer, every tool call in it has its result before the model speaks
/// again, nothing in it is empty, the model is named.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The model.
    pub model: String,
    /// The system prompt; never empty.
    pub system: Option<String>,
    /// The whole conversation, the rounds of tools within this turn included.
    pub messages: Vec<Message>,
    /// Tools offered to the model.
    pub tools: Vec<OfferedTool>,
    /// Whether it may call them; `auto` when there are none. A forced call is asked for once: after it the choice is
    /// `auto`.
    pub tool_choice: ToolChoice,
    /// The most tokens of the answer; never 0.
    pub max_output_tokens: Option<u32>,
    /// How hard to think, by the provider's name for it.
    pub effort: Option<String>,
    /// How the model chooses its words. Numbers are finite.
    pub sampling: Sampling,
    /// Texts at which the model stops; none is empty.
    pub stop_sequences: Vec<String>,
    /// The JSON schema of the answer.
    pub output_schema: Option<Box<RawValue>>,
    /// A name for this call that no other has: for services that take an idempotency key.
    pub key: String,
}

/// What the engine itself needs of a plugin's configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The model for turns that name none.
    pub model: Option<String>,
    /// How long a turn may be silent.
    pub activity_timeout: Milliseconds,
}

/// The silence that ends a turn, unless configured: models that think in silence stay below a minute, and services send
/// comments meanwhile.
pub const ACTIVITY_TIMEOUT: Milliseconds = 120_000;

/// The way a family of HTTP services speaks.
pub trait Dialect: Debug + Sized {
    /// Reads one answer.
    type Reader: Reader;

    /// Takes the plugin's configuration.
    ///
    /// # Errors
    /// When it cannot work. The message names the key.
    fn configure(setup: &Setup) -> Result<Self, Failure>;

    /// What the engine needs of it.
    fn settings(&self) -> &Settings;

    /// Writes the request of a model call, always for a streamed answer.
    ///
    /// # Errors
    /// `unsupported` or `invalid` when something cannot be said in this dialect. Nothing was sent then.
    fn request(&self, ask: &Ask) -> Result<Request, Failure>;

    /// A reader for the answer to such a request.
    fn reader(&self, ask: &Ask) -> Self::Reader;

    /// What a response that is no answer (a status other than 2xx) means. The engine adds the status, the hints about
    /// retries and the request's id; the dialect finds code, class, message and whatever the status alone says wrong.
    fn refusal(&self, status: u16, body: &[u8]) -> Failure;

    /// The header that names the request for the provider's support, in lower case; `None` where there is none.
    fn request_id_header(&self) -> Option<&'static str>;

    /// Asks for the list of models, from the beginning or from where the last page ended.
    ///
    /// # Errors
    /// `unsupported` when the service has none.
    fn models_request(&self, page: Option<&str>) -> Result<Request, Failure>;

    /// Reads a page of that list.
    ///
    /// # Errors
    /// `protocol` when it cannot be read.
    fn models(&self, body: &[u8]) -> Result<Page, Failure>;
}

/// A page of a list of models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The models on it.
    pub models: Vec<Model>,
    /// Where the next one begins, if there is one.
    pub next: Option<String>,
}

/// Reads one answer. It sees each event once and in order, whatever the chunks were.
pub trait Reader: Debug {
    /// Takes an event of the stream: its name (empty when it has none) and its data. Unknown events are told as
    /// [`Piece::Unknown`].
    ///
    /// # Errors
    /// When the service reports a failure in the stream, or breaks its own protocol.
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Piece>) -> Result<(), Failure>;

    /// Takes a whole answer: some servers do not stream although they were asked to.
    ///
    /// # Errors
    /// As [`Reader::event`].
    fn whole(&mut self, body: &str, out: &mut Vec<Piece>) -> Result<(), Failure>;

    /// The stream has ended. [`Piece::Stopped`] must have come by now, or come here.
    ///
    /// # Errors
    /// When the answer is not complete: `transport`, with a message that says so.
    fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Failure>;

    /// The stream was cut off. An answer that is complete is one all the same, where the service says so only once.
    ///
    /// # Errors
    /// As [`Reader::end`].
    fn cut(&mut self, out: &mut Vec<Piece>) -> Result<(), Failure> {
        self.end(out)
    }
}
