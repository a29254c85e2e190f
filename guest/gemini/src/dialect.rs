//! The dialect: configuration, requests, answers, refusals, models.

use crate::answer::Answer;
use crate::config::Config;
use crate::{models, outgoing, refusal, request};
use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Ask, Dialect, Page, Settings};
use llm_provider_guest::http::Request;
use llm_provider_guest::provider::Setup;

/// Google's Gemini API.
#[derive(Clone, Debug)]
pub struct Gemini {
    config: Config,
    settings: Settings,
}

impl Gemini {
    /// The dialect as configured.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let settings = Settings { model: config.model.clone(), activity_timeout: config.activity_timeout_ms };
        Self { config, settings }
    }
}

impl Dialect for Gemini {
    type Reader = Answer;

    fn configure(setup: &Setup) -> Result<Self, Failure> {
        Config::parse(setup).map(Self::new)
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn request(&self, ask: &Ask) -> Result<Request, Failure> {
        let url = format!("{}/{}:streamGenerateContent?alt=sse", self.config.root(), models::path(&ask.model));
        Ok(outgoing::post(&self.config, url, request::body(&self.config, ask)?))
    }

    fn reader(&self, _: &Ask) -> Answer {
        Answer::default()
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Failure {
        refusal::of_response(status, body)
    }

    /// The API documents none; it names answers, in their bodies.
    fn request_id_header(&self) -> Option<&'static str> {
        None
    }

    fn models_request(&self, page: Option<&str>) -> Result<Request, Failure> {
        Ok(outgoing::get(&self.config, models::url(&self.config.root(), page)))
    }

    fn models(&self, body: &[u8]) -> Result<Page, Failure> {
        models::read(body)
    }
}
