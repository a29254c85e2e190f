//! A dialect made for tests: the request's body shows the whole question, and an event of the answer is a piece.

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::{Ask, Dialect, Page, Piece, Reader, Settings};
use llm_provider_core::turn::Kind;
use llm_provider_guest::catalog::Model;
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::Setup;
use llm_provider_guest::secrets::Chunk;
use llm_provider_guest::types::{Block, FinishReason, ImageSource, Message, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug)]
pub struct Toy {
    settings: Settings,
}

/// The configuration.
#[derive(Deserialize)]
struct Config {
    model: Option<String>,
    timeout: u64,
}

/// An event of an answer, as the service says it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Model(String),
    Name(String),
    Text(u64),
    Thinking(u64),
    Call(u64, String, String),
    More(u64, String),
    Close(u64, Option<String>),
    /// Tokens read and written.
    Usage(u64, u64),
    Stopped(String),
    Failed(Refusal),
}

/// Why the service does not answer, in a body or in a stream.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Models {
    models: Vec<String>,
    next: Option<String>,
}

impl Dialect for Toy {
    type Reader = ToyReader;

    fn configure(setup: &Setup) -> Result<Self, Failure> {
        let config: Config = serde_json::from_str(&setup.config)
            .map_err(|error| Failure::of(Fault::Invalid, format!("the configuration: {error}")))?;
        Ok(Self { settings: Settings { model: config.model, activity_timeout: config.timeout } })
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn request(&self, ask: &Ask) -> Result<Request, Failure> {
        if ask.effort.is_some() {
            return Err(Failure::of(Fault::Unsupported, "toys do not think harder"));
        }
        let body = json!({
            "model": ask.model,
            "system": ask.system,
            "messages": ask.messages.iter().map(message).collect::<Vec<_>>(),
            "tools": ask.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(),
            "choice": format!("{:?}", ask.tool_choice),
            "max": ask.max_output_tokens,
            "temperature": ask.sampling.temperature,
            "stop": ask.stop_sequences,
            "schema": ask.output_schema.as_ref().map(|schema| schema.get()),
            "key": ask.key,
        });
        Ok(request("POST", "https://toy.test/answer", body.to_string()))
    }

    fn reader(&self, _: &Ask) -> ToyReader {
        ToyReader::default()
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Failure {
        match serde_json::from_slice::<Refusal>(body) {
            Ok(refusal) => refused(refusal),
            Err(_) => Failure::of(Fault::Provider, format!("the toy answered with status {status}")),
        }
    }

    fn request_id_header(&self) -> Option<&'static str> {
        Some("toy-request")
    }

    fn models_request(&self, page: Option<&str>) -> Result<Request, Failure> {
        if self.settings.model.as_deref() == Some("no-list") {
            return Err(Failure::of(Fault::Unsupported, "this toy has no list of models"));
        }
        Ok(request("GET", &format!("https://toy.test/models?from={}", page.unwrap_or_default()), String::new()))
    }

    fn models(&self, body: &[u8]) -> Result<Page, Failure> {
        let Models { models, next } = serde_json::from_slice(body)
            .map_err(|error| Failure::of(Fault::Protocol, format!("the list of models: {error}")))?;
        Ok(Page { models: models.into_iter().map(model).collect(), next })
    }
}

#[derive(Debug, Default)]
pub struct ToyReader {
    stopped: bool,
}

impl Reader for ToyReader {
    fn event(&mut self, _: &str, data: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let value: Value = serde_json::from_str(data)
            .map_err(|error| Failure::of(Fault::Protocol, format!("an event of the answer: {error}")))?;
        self.said(value, out)
    }

    fn whole(&mut self, body: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let values: Vec<Value> =
            serde_json::from_str(body).map_err(|error| Failure::of(Fault::Protocol, format!("the answer: {error}")))?;
        values.into_iter().try_for_each(|value| self.said(value, out))
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Failure> {
        match self.stopped {
            true => Ok(()),
            false => Err(Failure::of(Fault::Transport, "the answer is cut off")),
        }
    }
}

impl ToyReader {
    fn said(&mut self, value: Value, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let Ok(said) = serde_json::from_value(value) else {
            out.push(Piece::Unknown);
            return Ok(());
        };
        out.push(match said {
            Said::Model(model) => Piece::Model(model),
            Said::Name(name) => Piece::Name(name),
            Said::Text(key) => Piece::Open(key, Kind::Text),
            Said::Thinking(key) => Piece::Open(key, Kind::Thinking),
            Said::Call(key, id, name) => Piece::Open(key, Kind::ToolCall { id, name }),
            Said::More(key, text) => Piece::Delta(key, text),
            Said::Close(key, signature) => Piece::Close(key, signature),
            Said::Usage(read, written) => Piece::Usage(usage(read, written)),
            Said::Stopped(reason) => {
                self.stopped = true;
                Piece::Stopped(finish_reason(reason))
            }
            Said::Failed(refusal) => return Err(refused(refusal)),
        });
        Ok(())
    }
}

pub fn usage(read: u64, written: u64) -> Usage {
    Usage { model_calls: 1, input_tokens: read, output_tokens: written, ..Usage::default() }
}

fn finish_reason(reason: String) -> FinishReason {
    match reason.as_str() {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "calls" => FinishReason::ToolCalls,
        _ => FinishReason::Other(reason),
    }
}

fn refused(refusal: Refusal) -> Failure {
    Failure { code: Some(refusal.code), ..Failure::of(Fault::Provider, refusal.message) }
}

fn model(id: String) -> Model {
    Model {
        id,
        name: None,
        context_window: None,
        max_output_tokens: None,
        images: None,
        tools: None,
        reasoning_efforts: Vec::new(),
        premium_multiplier: None,
    }
}

fn request(method: &str, url: &str, body: String) -> Request {
    let body = if body.is_empty() { Vec::new() } else { vec![Chunk::Bytes(body.into_bytes())] };
    Request { method: method.into(), url: url.into(), headers: Vec::new(), body, first_byte_timeout: None }
}

fn message(message: &Message) -> Value {
    json!({"role": format!("{:?}", message.role), "blocks": message.blocks.iter().map(block).collect::<Vec<_>>()})
}

fn block(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({"text": text.text}),
        Block::Thinking(thinking) => json!({"thinking": thinking.text, "signature": thinking.signature}),
        Block::Image(image) => match &image.source {
            ImageSource::Data(bytes) => json!({"image": bytes.len()}),
            ImageSource::Url(url) => json!({"image": url}),
        },
        Block::ToolCall(call) => json!({"call": call.id, "name": call.name, "arguments": call.arguments}),
        Block::ToolResult(result) => json!({"result": result.call_id, "content": result.content}),
    }
}
