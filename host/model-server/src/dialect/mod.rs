//! The dialects: what is common to them, and where each is spoken.

mod anthropic;
mod chat;
mod gemini;
mod responses;

use std::fmt;

use bytes::BytesMut;
use serde_json::Value;

use crate::answer::{Answer, Block, Usage};
use crate::model_error::ModelError;

/// A wire format of a model's service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI chat completions, `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI Responses, `POST /v1/responses`.
    Responses,
    /// Anthropic Messages, `POST /v1/messages`.
    Anthropic,
    /// Gemini, `POST /v1beta/models/MODEL:streamGenerateContent?alt=sse` or `MODEL:generateContent`.
    Gemini,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ChatCompletions, Self::Responses, Self::Anthropic, Self::Gemini];

    /// Where this dialect is spoken, below the server's base URL. The model (percent-encoded where its name needs it)
    /// and whether to stream stand in Gemini's path only; the others have them in the body.
    #[must_use]
    pub fn path(self, model: &str, stream: bool) -> String {
        match self {
            Self::ChatCompletions => "/v1/chat/completions".to_owned(),
            Self::Responses => "/v1/responses".to_owned(),
            Self::Anthropic => "/v1/messages".to_owned(),
            Self::Gemini if stream => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            Self::Gemini => format!("/v1beta/models/{model}:generateContent"),
        }
    }

    /// The name of the response header with the request's id. Gemini has none: it names answers, in their bodies.
    pub(crate) const fn request_id_header(self) -> Option<&'static str> {
        match self {
            Self::ChatCompletions | Self::Responses => Some("x-request-id"),
            Self::Anthropic => Some("request-id"),
            Self::Gemini => None,
        }
    }

    pub(crate) fn encoder(self, about: About) -> Box<dyn Encode> {
        match self {
            Self::ChatCompletions => Box::new(chat::Chat::new(about)),
            Self::Responses => Box::new(responses::Responses::new(about)),
            Self::Anthropic => Box::new(anthropic::Anthropic::new(about)),
            Self::Gemini => Box::new(gemini::Gemini::new(about)),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::ChatCompletions => "chat completions",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic messages",
            Self::Gemini => "gemini",
        })
    }
}

/// What a reply must know of its request.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// The request's number, from which all ids are made: the same script gives the same bytes.
    pub(crate) number: u64,
    pub(crate) model: String,
    pub(crate) usage: Option<Usage>,
    /// Chat completions: `stream_options.include_usage`.
    pub(crate) usage_in_stream: bool,
}

/// The time that replies claim to be made at, in seconds since 1970: fixed, so that replies are deterministic.
pub(crate) const CREATED: u64 = 1_767_225_600;

/// What the dialects with opaque reasoning hand out as its signature (Anthropic, Gemini) or encrypted content
/// (Responses).
pub(crate) const SIGNATURE: &str = "c2lnbmVkLWJ5LWxsbXAtbW9kZWwtc2VydmVy";

/// A step of a stream, in no dialect.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    Open,
    BlockOpen { index: usize, block: &'a Block },
    Delta { index: usize, block: &'a Block, delta: &'a str },
    BlockClose { index: usize, block: &'a Block },
    Close { answer: &'a Answer },
}

/// One dialect's way to write an answer.
pub(crate) trait Encode: Send {
    /// Writes the events of one step of a stream.
    fn piece(&mut self, piece: Piece<'_>, out: &mut BytesMut);

    /// Writes the event of an error in mid-stream.
    fn failure(&mut self, error: &ModelError, out: &mut BytesMut);

    /// The answer as one JSON body.
    fn whole(&self, answer: &Answer) -> Value;
}

/// A position in an answer: which step comes next. It holds numbers only, so that an answer of 100,000 deltas is
/// walked without a list of steps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    opened: bool,
    block: usize,
    in_block: bool,
    delta: usize,
    closed: bool,
}

impl Cursor {
    /// The next step, and moves past it.
    pub(crate) fn advance<'a>(&mut self, answer: &'a Answer) -> Option<Piece<'a>> {
        if !self.opened {
            self.opened = true;
            return Some(Piece::Open);
        }
        let index = self.block;
        let Some(block) = answer.blocks.get(index) else {
            let last = !std::mem::replace(&mut self.closed, true);
            return last.then_some(Piece::Close { answer });
        };
        if !self.in_block {
            self.in_block = true;
            return Some(Piece::BlockOpen { index, block });
        }
        if let Some(delta) = block.deltas().get(self.delta) {
            self.delta += 1;
            return Some(Piece::Delta { index, block, delta });
        }
        *self = Self { opened: true, block: index + 1, ..Self::default() };
        Some(Piece::BlockClose { index, block })
    }

    /// Whether the opening events are out.
    pub(crate) fn opened(&self) -> bool {
        self.opened
    }

    /// Whether all content is out and only the closing events are to come.
    pub(crate) fn at_end(&self, answer: &Answer) -> bool {
        self.opened && self.block >= answer.blocks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_walks_every_block_and_delta_once() {
        let blocks = vec![Block::Reasoning(vec!["a".into()]), Block::Text(vec!["b".into(), "c".into()])];
        let answer = Answer { blocks, ..Answer::default() };
        let mut cursor = Cursor::default();
        let mut walked = String::new();
        while let Some(piece) = cursor.advance(&answer) {
            match piece {
                Piece::Open => walked.push('('),
                Piece::BlockOpen { index, .. } => walked.push_str(&format!("[{index}")),
                Piece::Delta { delta, .. } => walked.push_str(delta),
                Piece::BlockClose { .. } => walked.push(']'),
                Piece::Close { .. } => walked.push(')'),
            }
        }
        assert_eq!(walked, "([0a][1bc])");
    }
}
