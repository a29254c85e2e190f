//! The list of models.

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::Page;
use llm_provider_core::endpoint::percent_encoded;
use llm_provider_guest::catalog::Model;
use serde::Deserialize;

/// Levels of effort, in order.
type Efforts = [(&'static str, Option<Supported>); 5];

#[derive(Debug, Deserialize)]
struct List {
    data: Vec<Info>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    last_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Info {
    id: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    max_input_tokens: Option<u64>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    image_input: Option<Supported>,
    #[serde(default)]
    effort: Option<Effort>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Supported {
    supported: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Effort {
    low: Option<Supported>,
    medium: Option<Supported>,
    high: Option<Supported>,
    xhigh: Option<Supported>,
    max: Option<Supported>,
}

/// Where a page is. The API gives at most 1,000 models at once, and 20 when not asked for more.
pub(crate) fn url(root: &str, page: Option<&str>) -> String {
    let after = page.map(|id| format!("&after_id={}", percent_encoded(id))).unwrap_or_default();
    format!("{root}/models?limit=100{after}")
}

/// Reads a page.
pub(crate) fn read(body: &[u8]) -> Result<Page, Failure> {
    let list: List = serde_json::from_slice(body)
        .map_err(|error| Failure::of(Fault::Protocol, format!("the list of models cannot be read: {error}")))?;
    let models: Vec<Model> = list.data.into_iter().map(Model::from).collect();
    // An empty page that promises more would be asked for without an end.
    let next = list.last_id.filter(|_| list.has_more && !models.is_empty());
    Ok(Page { models, next })
}

impl From<Info> for Model {
    fn from(info: Info) -> Self {
        let capabilities = info.capabilities.unwrap_or_default();
        let effort = capabilities.effort.unwrap_or_default();
        let levels: Efforts = [
            ("low", effort.low),
            ("medium", effort.medium),
            ("high", effort.high),
            ("xhigh", effort.xhigh),
            ("max", effort.max),
        ];
        let supported = |level: &Option<Supported>| level.is_some_and(|level| level.supported);
        Self {
            id: info.id,
            name: info.display_name,
            context_window: info.max_input_tokens,
            max_output_tokens: info.max_tokens,
            images: capabilities.image_input.map(|images| images.supported),
            tools: None,
            reasoning_efforts: levels
                .iter()
                .filter(|(_, level)| supported(level))
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            premium_multiplier: None,
        }
    }
}
