//! One scripted reply: what is said, how it is cut, and what goes wrong on the way.

use std::time::Duration;

use bytes::Bytes;

use crate::answer::{Answer, Block, Finish, ToolCall, Usage, UsageReport};
use crate::dialect::Dialect;
use crate::gate::Gate;
use crate::model_error::ModelError;
use crate::stop::{Action, Place, Stop};

/// What the server does with one request, in whichever dialect it comes.
///
/// Blocks (text, reasoning, tool calls) are streamed in the order in which they were added, each delta as its own
/// event. Places for waits and faults are counted in deltas of all blocks: `0` is after the response's headers and the
/// dialect's opening events, a number beyond the last delta is after the content and before the closing events. Several
/// actions at one place happen in the order in which they were added.
///
/// A request without `stream` gets one JSON body; an action "after k deltas" then comes after half of that body.
///
/// ```
/// use llmp_model_server::{Reply, ToolCall};
/// let reply = Reply::new()
///     .reasoning(["let me ", "look"])
///     .tool_call(ToolCall::new("call_1", "get_weather", &serde_json::json!({"city": "Oslo"})));
/// let broken = Reply::deltas(["never ", "finished"]).reset_after(1);
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    retry_after: Option<u64>,
    pub(crate) content: Content,
    pub(crate) stops: Vec<Stop>,
    pub(crate) pace: Option<Duration>,
    pub(crate) split: Option<usize>,
}

/// What a reply carries.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Answer(Answer),
    Error(ModelError),
    /// Bytes in no dialect; each chunk counts as a delta.
    Raw {
        content_type: String,
        chunks: Vec<Bytes>,
    },
}

impl Reply {
    /// An answer without content, to be filled.
    #[must_use]
    pub fn new() -> Self {
        Self::from_content(200, Content::Answer(Answer::default()))
    }

    /// An answer of one text delta.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new().and_deltas([text])
    }

    /// An answer of one text block in these deltas.
    pub fn deltas<I>(deltas: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self::new().and_deltas(deltas)
    }

    /// An answer of one text block in deltas of `chars` characters (at least 1; the last may be shorter).
    #[must_use]
    pub fn text_by_chars(text: &str, chars: usize) -> Self {
        let all: Vec<char> = text.chars().collect();
        Self::deltas(all.chunks(chars.max(1)).map(|chunk| chunk.iter().collect::<String>()))
    }

    /// An error status with the dialect's JSON body.
    pub fn error(status: u16, message: impl Into<String>) -> Self {
        Self::failure(ModelError::new(status, message))
    }

    /// An error with a chosen `type` or `code`.
    #[must_use]
    pub fn failure(error: ModelError) -> Self {
        Self::from_content(error.status, Content::Error(error))
    }

    /// Bytes as they are, in these chunks, under this content type.
    pub fn raw<I>(status: u16, content_type: impl Into<String>, chunks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Bytes>,
    {
        let chunks = chunks.into_iter().map(Into::into).collect();
        Self::from_content(status, Content::Raw { content_type: content_type.into(), chunks })
    }

    /// A page as a proxy in front of a provider sends it.
    pub fn html(status: u16, page: impl Into<Bytes>) -> Self {
        Self::raw(status, "text/html; charset=utf-8", [page])
    }

    /// An event stream of exactly these chunks: none, garbage, `data: [DONE]` alone, a recorded one.
    pub fn raw_events<I>(chunks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Bytes>,
    {
        Self::raw(200, EVENT_STREAM, chunks)
    }

    fn from_content(status: u16, content: Content) -> Self {
        Self { status, headers: Vec::new(), retry_after: None, content, stops: Vec::new(), pace: None, split: None }
    }
}

/// The content type of a stream of events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// Content of an answer. On an error or raw reply these change nothing.
impl Reply {
    /// Adds a text block in these deltas.
    #[must_use]
    pub fn and_deltas<I>(self, deltas: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.block(Block::Text(deltas.into_iter().map(Into::into).collect()))
    }

    /// Adds a reasoning block in these deltas: `reasoning_content`, a reasoning summary, a thinking block, or
    /// thoughts.
    #[must_use]
    pub fn reasoning<I>(self, deltas: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.block(Block::Reasoning(deltas.into_iter().map(Into::into).collect()))
    }

    /// Adds a call of a tool. Several are parallel calls.
    #[must_use]
    pub fn tool_call(self, call: ToolCall) -> Self {
        self.block(Block::ToolCall(call))
    }

    /// Reports these tokens instead of an estimate.
    #[must_use]
    pub fn usage(self, usage: Usage) -> Self {
        self.answer(|answer| answer.usage = UsageReport::Fixed(usage))
    }

    /// Reports no usage, as some compatible servers do. Anthropic's dialect cannot: there all counts become 0.
    #[must_use]
    pub fn without_usage(self) -> Self {
        self.answer(|answer| answer.usage = UsageReport::Absent)
    }

    /// Ends for this reason instead of the one that follows from the blocks.
    #[must_use]
    pub fn finish(self, finish: Finish) -> Self {
        self.answer(|answer| answer.finish = Some(finish))
    }

    fn block(self, block: Block) -> Self {
        self.answer(|answer| answer.blocks.push(block))
    }

    fn answer(mut self, change: impl FnOnce(&mut Answer)) -> Self {
        if let Content::Answer(answer) = &mut self.content {
            change(answer);
        }
        self
    }
}

/// The response's head and timing.
impl Reply {
    /// Sends this status, whatever the content.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a response header. One that HTTP does not allow makes the request fail with status 500.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Says when to come back: `Retry-After`, or in an error of Gemini's, which has no such header, `RetryInfo`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The reply with the time to come back in the place that the dialect has for it.
    pub(crate) fn timed(mut self, dialect: Dialect) -> Self {
        let Some(seconds) = self.retry_after.take() else { return self };
        match (self.content, dialect) {
            (Content::Error(error), Dialect::Gemini) => {
                Self { content: Content::Error(error.retry_delay(seconds)), ..self }
            }
            (content, _) => Self { content, ..self }.header("retry-after", seconds.to_string()),
        }
    }

    /// Waits before the headers.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        self.stop(Place::BeforeHeaders, Action::Pause(delay))
    }

    /// Waits after each delta.
    #[must_use]
    pub fn pace(mut self, pause: Duration) -> Self {
        self.pace = Some(pause);
        self
    }

    /// Waits once, after `deltas` deltas.
    #[must_use]
    pub fn pause_after(self, deltas: usize, pause: Duration) -> Self {
        self.stop(Place::AfterDeltas(deltas), Action::Pause(pause))
    }

    /// Writes the body in pieces of `bytes` bytes (at least 1), each flushed to the socket before the next: cuts fall
    /// inside events, lines, escapes and UTF-8 sequences.
    #[must_use]
    pub fn split_bytes(mut self, bytes: usize) -> Self {
        self.split = Some(bytes.max(1));
        self
    }

    /// Waits at a gate before the headers.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.stop(Place::BeforeHeaders, Action::Gate(gate.clone()))
    }

    /// Waits at a gate after `deltas` deltas.
    #[must_use]
    pub fn gate_after(self, deltas: usize, gate: &Gate) -> Self {
        self.stop(Place::AfterDeltas(deltas), Action::Gate(gate.clone()))
    }

    fn stop(mut self, place: Place, action: Action) -> Self {
        self.stops.push(Stop { place, action });
        self
    }
}

/// Faults.
impl Reply {
    /// Never answers. Ends when the client leaves or the server is dropped.
    #[must_use]
    pub fn hang(self) -> Self {
        self.stop(Place::BeforeHeaders, Action::Hang)
    }

    /// Falls silent after `deltas` deltas.
    #[must_use]
    pub fn hang_after(self, deltas: usize) -> Self {
        self.stop(Place::AfterDeltas(deltas), Action::Hang)
    }

    /// Resets the connection (TCP RST) instead of answering.
    #[must_use]
    pub fn reset(self) -> Self {
        self.stop(Place::BeforeHeaders, Action::Reset)
    }

    /// Resets the connection after `deltas` deltas, which were written to the socket before. A client that reads slower
    /// than the server writes may lose some of them, as with a real reset.
    #[must_use]
    pub fn reset_after(self, deltas: usize) -> Self {
        self.stop(Place::AfterDeltas(deltas), Action::Reset)
    }

    /// Closes the connection (TCP FIN) instead of answering.
    #[must_use]
    pub fn close(self) -> Self {
        self.stop(Place::BeforeHeaders, Action::Close)
    }

    /// Closes the connection after `deltas` deltas, without HTTP's end mark.
    #[must_use]
    pub fn close_after(self, deltas: usize) -> Self {
        self.stop(Place::AfterDeltas(deltas), Action::Close)
    }

    /// Ends the HTTP message properly after `deltas` deltas, without the dialect's closing events.
    #[must_use]
    pub fn truncate_after(self, deltas: usize) -> Self {
        self.stop(Place::AfterDeltas(deltas), Action::Truncate)
    }

    /// Sends the dialect's error event after `deltas` deltas and ends. The status is 200 by then; the error's own
    /// status only chooses its `type`.
    #[must_use]
    pub fn fail_after(self, deltas: usize, error: ModelError) -> Self {
        self.stop(Place::AfterDeltas(deltas), Action::Fail(error))
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(reply: &Reply) -> Vec<String> {
        match &reply.content {
            Content::Answer(answer) => answer.blocks.iter().flat_map(|block| block.deltas().to_vec()).collect(),
            Content::Error(_) | Content::Raw { .. } => Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn cutting_by_characters_loses_nothing(whole in ".*", chars in 0_usize..9) {
            let deltas = text(&Reply::text_by_chars(&whole, chars));
            prop_assert_eq!(deltas.concat(), whole);
            prop_assert!(deltas.iter().all(|delta| (1..=chars.max(1)).contains(&delta.chars().count())));
        }
    }
}
