//! The dialect: configuration, requests, answers, refusals, models.

use crate::answer::Answer;
use crate::config::Config;
use crate::{headers, models, refusal, request};
use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, Dialect, Page, Settings};
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::Setup;
use llm_provider_guest::secrets::Chunk;

/// Anthropic's Messages API.
#[derive(Clone, Debug)]
pub struct Messages {
    config: Config,
    settings: Settings,
}

impl Messages {
    /// The dialect as configured.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let settings = Settings { model: config.model.clone(), activity_timeout: config.activity_timeout_ms };
        Self { config, settings }
    }
}

impl Dialect for Messages {
    type Reader = Answer;

    fn configure(setup: &Setup) -> Result<Self, Failure> {
        Config::parse(&setup.config, &setup.secrets).map(Self::new)
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn request(&self, ask: &Ask) -> Result<Request, Failure> {
        Ok(Request {
            method: "POST".to_owned(),
            url: format!("{}/messages", self.config.root()),
            headers: headers::of(&self.config, true),
            body: vec![Chunk::Bytes(request::body(&self.config, ask)?)],
            first_byte_timeout: None,
        })
    }

    fn reader(&self, _: &Ask) -> Answer {
        Answer::default()
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Failure {
        refusal::of_response(status, body)
    }

    fn request_id_header(&self) -> Option<&'static str> {
        Some("request-id")
    }

    fn models_request(&self, page: Option<&str>) -> Result<Request, Failure> {
        Ok(Request {
            method: "GET".to_owned(),
            url: models::url(&self.config.root(), page),
            headers: headers::of(&self.config, false),
            body: Vec::new(),
            first_byte_timeout: None,
        })
    }

    fn models(&self, body: &[u8]) -> Result<Page, Failure> {
        models::read(body)
    }
}
