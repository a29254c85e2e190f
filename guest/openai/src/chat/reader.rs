//! Reads an answer of chat completions.

use super::calls::Calls;
use super::chunk::{Choice, Chunk, Content, Said};
use crate::counts;
use crate::refusal;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::{BlockKey, Piece, Reader};
use llm_provider_core::surrogate::mended;
use llm_provider_core::turn::Kind;
use llm_provider_guest::types::FinishReason;
use serde_json::Value;

/// Reads one answer.
///
/// A refusal is given as text, and the answer then ends as `content-filter` instead of `stop`: a caller that waits for
/// JSON must be told that it is none.
#[derive(Debug, Default)]
pub struct ChatReader {
    /// A name for ids of calls that the service gives none.
    made: String,
    next: BlockKey,
    /// The block of text or thinking that grows.
    open: Option<(Kind, BlockKey)>,
    calls: Calls,
    model_told: bool,
    refused: bool,
    /// The service's word for why it stopped.
    finish: Option<String>,
    told: Option<FinishReason>,
    /// The end mark has come.
    done: bool,
}

impl ChatReader {
    /// A reader for the answer to a call of this name.
    pub(crate) fn new(key: &str) -> Self {
        Self { made: key.to_owned(), ..Self::default() }
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Vec<Piece>) -> Result<(), Failure> {
        if let Some(error) = &chunk.error {
            return Err(refusal::reported(error));
        }
        if chunk.choices.is_none() && chunk.usage.is_none() {
            out.push(Piece::Unknown);
            return Ok(());
        }
        if let Some(model) = chunk.model.filter(|model| !model.is_empty() && !self.model_told) {
            self.model_told = true;
            out.push(Piece::Model(model));
        }
        // One answer was asked for.
        let first = |choice: &Choice| choice.index.unwrap_or(0) == 0;
        for choice in chunk.choices.unwrap_or_default().into_iter().filter(first) {
            self.said(choice.delta.or(choice.message).unwrap_or_default(), out);
            if let Some(word) = choice.finish_reason.filter(|word| !word.is_empty()) {
                self.finish = Some(word);
                self.settle(out)?;
            }
        }
        if let Some(usage) = chunk.usage.filter(Value::is_object) {
            out.push(Piece::Usage(counts::of_chat(&usage)));
        }
        Ok(())
    }

    fn said(&mut self, said: Said, out: &mut Vec<Piece>) {
        // Some services say it under both names.
        let reasoning = said.reasoning_content.filter(|text| !text.is_empty()).or(said.reasoning);
        self.push(Kind::Thinking, reasoning, out);
        match said.content {
            None => {}
            Some(Content::Text(text)) => self.push(Kind::Text, Some(text), out),
            Some(Content::Parts(parts)) => {
                for part in parts {
                    for thought in part.thinking.into_iter().flatten() {
                        self.push(Kind::Thinking, thought.text, out);
                    }
                    self.push(Kind::Text, part.text, out);
                }
            }
        }
        self.refused |= said.refusal.as_ref().is_some_and(|text| !text.is_empty());
        self.push(Kind::Text, said.refusal, out);
        for part in said.tool_calls.into_iter().flatten() {
            self.close(out);
            self.calls.take(part, &mut self.next, &self.made, out);
        }
    }

    fn push(&mut self, kind: Kind, text: Option<String>, out: &mut Vec<Piece>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let key = match &self.open {
            Some((open, key)) if *open == kind => *key,
            _ => {
                self.close(out);
                let key = self.next;
                self.next = self.next.saturating_add(1);
                out.push(Piece::Open(key, kind.clone()));
                self.open = Some((kind, key));
                key
            }
        };
        out.push(Piece::Delta(key, text));
    }

    fn close(&mut self, out: &mut Vec<Piece>) {
        if let Some((_, key)) = self.open.take() {
            out.push(Piece::Close(key, None));
        }
    }

    /// Ends what is open and tells why the model stopped, if that is known and was not told like this before.
    fn settle(&mut self, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let Some(word) = &self.finish else { return Ok(()) };
        let reason = self.reason(word);
        if self.calls.is_nameless() {
            return Err(Failure::of(Fault::Protocol, "the model's service sent a tool call without a name"));
        }
        self.close(out);
        self.calls.close(out);
        if self.told.as_ref() != Some(&reason) {
            out.push(Piece::Stopped(reason.clone()));
            self.told = Some(reason);
        }
        Ok(())
    }

    fn reason(&self, word: &str) -> FinishReason {
        match word {
            // Some services stop for calls without saying so.
            "stop" if !self.calls.is_empty() => FinishReason::ToolCalls,
            "stop" if self.refused => FinishReason::ContentFilter,
            "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "content_filter" => FinishReason::ContentFilter,
            "tool_calls" | "function_call" if !self.calls.is_empty() => FinishReason::ToolCalls,
            other => FinishReason::Other(other.to_owned()),
        }
    }

    /// The service says that this was all.
    fn complete(&mut self, out: &mut Vec<Piece>) -> Result<(), Failure> {
        self.done = true;
        if self.finish.is_none() && self.next > 0 {
            self.finish = Some("stop".to_owned());
        }
        self.settle(out)
    }
}

impl Reader for ChatReader {
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        if data.trim() == "[DONE]" {
            return self.complete(out);
        }
        match name {
            "ping" | "keepalive" => return Ok(()),
            "error" => return Err(refusal::reported_text(data)),
            _ => {}
        }
        match serde_json::from_str(data) {
            Ok(chunk) => self.chunk(chunk, out),
            Err(error) => mended(data).map_or_else(|| Err(broken(&error)), |copy| self.event(name, &copy, out)),
        }
    }

    fn whole(&mut self, body: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let chunk: Chunk = match serde_json::from_str(body) {
            Ok(chunk) => chunk,
            Err(error) => return mended(body).map_or_else(|| Err(broken(&error)), |copy| self.whole(&copy, out)),
        };
        if chunk.error.is_none() && chunk.choices.as_ref().is_none_or(Vec::is_empty) {
            return Err(Failure::of(Fault::Protocol, "the model's service sent something that is no chat completion"));
        }
        self.chunk(chunk, out)?;
        if self.finish.is_none() {
            self.finish = Some("stop".to_owned());
        }
        self.complete(out)
    }

    fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Failure> {
        match (&self.finish, self.done) {
            (Some(_), _) => self.settle(out),
            (None, true) => Err(Failure::of(Fault::EmptyAnswer, "the model's service ended the answer without one")),
            (None, false) => Err(Failure::of(Fault::Transport, "the stream ended before the answer did")),
        }
    }
}

fn broken(error: &serde_json::Error) -> Failure {
    let message = format!("the model's service sent something that is no chat completion: {error}");
    Failure::of(Fault::Protocol, message)
}
