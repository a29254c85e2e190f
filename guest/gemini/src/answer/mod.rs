//! The reader of an answer.

mod parts;
mod stop;
mod usage;
mod wire;

use crate::refusal;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::{Piece, Reader};
use llm_provider_core::surrogate::mended;
use llm_provider_guest::types::FinishReason;
use parts::Blocks;
use usage::Counted;
use wire::{Candidate, Chunk, Feedback};

/// Reads one answer of the Gemini API.
///
/// Old models say with every chunk that they have stopped, so why is told at the end of the stream.
#[derive(Debug, Default)]
pub struct Answer {
    blocks: Blocks,
    counted: Counted,
    model_told: bool,
    name_told: bool,
    stopped: Option<String>,
    /// There was more after it had said why it stopped: it says so with every chunk.
    went_on: bool,
    /// What the service says about that.
    why: Option<String>,
}

impl Reader for Answer {
    fn event(&mut self, _: &str, data: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        // The API has no such mark; some gateways send it all the same.
        if data.trim() == "[DONE]" {
            return Ok(());
        }
        match serde_json::from_str(data) {
            Ok(chunk) => self.take(chunk, out),
            Err(error) => match mended(data) {
                Some(copy) => self.event("", &copy, out),
                None => Err(unreadable("an event", &error)),
            },
        }
    }

    /// The API streams a list when it is not asked for events.
    fn whole(&mut self, body: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let chunks = match body.trim_start().starts_with('[') {
            true => serde_json::from_str::<Vec<Chunk>>(body),
            false => serde_json::from_str(body).map(|chunk| vec![chunk]),
        };
        match chunks {
            Ok(chunks) => chunks.into_iter().try_for_each(|chunk| self.take(chunk, out)),
            Err(error) => match mended(body) {
                Some(copy) => self.whole(&copy, out),
                None => Err(unreadable("an answer", &error)),
            },
        }
    }

    fn cut(&mut self, out: &mut Vec<Piece>) -> Result<(), Failure> {
        if self.went_on {
            return Err(Failure::of(Fault::Transport, "the stream broke off, and its reason to end was none before"));
        }
        self.end(out)
    }

    fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Failure> {
        self.blocks.close(None, out);
        let Some(word) = &self.stopped else {
            return Err(Failure::of(Fault::Transport, "the stream ended before the answer did"));
        };
        match stop::reason(word, self.blocks.called) {
            FinishReason::Other(word) if !self.blocks.said() => Err(self.nothing(&word)),
            reason => {
                out.push(Piece::Stopped(reason));
                Ok(())
            }
        }
    }
}

impl Answer {
    fn take(&mut self, chunk: Chunk, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let known = chunk.candidates.is_some() || chunk.usage_metadata.is_some() || chunk.prompt_feedback.is_some();
        if let Some(name) = chunk.response_id.filter(|name| !name.is_empty() && !self.name_told) {
            self.name_told = true;
            out.push(Piece::Name(name));
        }
        if let Some(model) = chunk.model_version.filter(|model| !model.is_empty() && !self.model_told) {
            self.model_told = true;
            out.push(Piece::Model(model));
        }
        if let Some(counts) = &chunk.usage_metadata {
            self.counted.update(counts);
            out.push(Piece::Usage(self.counted.usage()));
        }
        if let Some(error) = chunk.error {
            return Err(refusal::of_stream(error));
        }
        // The plugin asks for one answer, and the first is the one that was asked for.
        match (chunk.candidates.and_then(|all| all.into_iter().next()), chunk.prompt_feedback) {
            (Some(candidate), _) => self.candidate(candidate, out),
            (None, Some(Feedback { block_reason: Some(reason), block_reason_message })) => {
                return Err(refusal::blocked(&reason, block_reason_message.as_deref()));
            }
            (None, _) if !known => out.push(Piece::Unknown),
            (None, _) => {}
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: Candidate, out: &mut Vec<Piece>) {
        let stopped = self.stopped.is_some();
        for part in candidate.content.and_then(|content| content.parts).unwrap_or_default() {
            self.went_on |= stopped && part.says_something();
            self.blocks.part(part, out);
        }
        let word = candidate.finish_reason.filter(|word| !word.is_empty() && word != "FINISH_REASON_UNSPECIFIED");
        self.stopped = word.or(self.stopped.take());
        self.why = candidate.finish_message.filter(|why| !why.is_empty()).or(self.why.take());
    }

    /// An answer that the service itself calls broken, such as a call that it could not read: the model may do better
    /// when it is asked again.
    fn nothing(&self, word: &str) -> Failure {
        let why = self.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let message = format!("the model ended its answer without saying anything ({}){why}", word.escape_debug());
        Failure { code: Some(word.to_owned()), ..Failure::of(Fault::EmptyAnswer, message) }
    }
}

fn unreadable(what: &str, error: &serde_json::Error) -> Failure {
    Failure::of(Fault::Protocol, format!("the Gemini API sent {what} that cannot be read: {error}"))
}
