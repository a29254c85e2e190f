//! The dialect: one of the two APIs, as the configuration says.

use crate::address::Address;
use crate::chat::{self, ChatReader};
use crate::config::{Api, Config};
use crate::responses::{self, ResponsesReader};
use crate::{models, outgoing, refusal};
use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, Dialect, Page, Piece, Reader, Settings};
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::Setup;

/// OpenAI's APIs, spoken by OpenAI and by whoever is compatible.
#[derive(Clone, Debug)]
pub struct AnyApi {
    config: Config,
    address: Address,
    settings: Settings,
}

/// Reads one answer of either API.
#[derive(Debug)]
pub enum AnyReader {
    /// Of chat completions.
    Chat(ChatReader),
    /// Of Responses.
    Responses(ResponsesReader),
}

impl Dialect for AnyApi {
    type Reader = AnyReader;

    fn configure(setup: &Setup) -> Result<Self, Failure> {
        let config = Config::parse(setup)?;
        let address = Address::new(&config);
        let settings = Settings { model: config.model.clone(), activity_timeout: config.activity_timeout_ms };
        Ok(Self { config, address, settings })
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn request(&self, ask: &Ask) -> Result<Request, Failure> {
        match self.config.api {
            Api::ChatCompletions => chat::request(&self.config, &self.address, ask),
            Api::Responses => responses::request(&self.config, &self.address, ask),
        }
    }

    fn reader(&self, ask: &Ask) -> AnyReader {
        match self.config.api {
            Api::ChatCompletions => AnyReader::Chat(ChatReader::new(&ask.key)),
            Api::Responses => AnyReader::Responses(ResponsesReader::new(&ask.key)),
        }
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Failure {
        refusal::refusal(status, body)
    }

    fn request_id_header(&self) -> Option<&'static str> {
        Some("x-request-id")
    }

    fn models_request(&self, _: Option<&str>) -> Result<Request, Failure> {
        Ok(outgoing::get(&self.config, self.address.models()))
    }

    fn models(&self, body: &[u8]) -> Result<Page, Failure> {
        models::read(body)
    }
}

impl Reader for AnyReader {
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        match self {
            Self::Chat(reader) => reader.event(name, data, out),
            Self::Responses(reader) => reader.event(name, data, out),
        }
    }

    fn whole(&mut self, body: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        match self {
            Self::Chat(reader) => reader.whole(body, out),
            Self::Responses(reader) => reader.whole(body, out),
        }
    }

    fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Failure> {
        match self {
            Self::Chat(reader) => reader.end(out),
            Self::Responses(reader) => reader.end(out),
        }
    }
}
