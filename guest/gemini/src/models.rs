//! The list of models, and where a model is.

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::Page;
use llm_provider_core::endpoint::percent_encoded;
use llm_provider_guest::catalog::Model;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    #[serde(default)]
    models: Option<Vec<Info>>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    name: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    input_token_limit: Option<u64>,
    #[serde(default)]
    output_token_limit: Option<u64>,
    #[serde(default)]
    supported_generation_methods: Option<Vec<String>>,
    #[serde(default)]
    thinking: Option<bool>,
}

/// The levels of effort that every model takes which thinks.
const EFFORTS: [&str; 3] = ["low", "medium", "high"];

/// Where a model is: below `models`, unless its name has the collection before it, as the list has it.
pub(crate) fn path(model: &str) -> String {
    match model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => format!("{collection}/{}", percent_encoded(name)),
        _ => format!("models/{}", percent_encoded(model)),
    }
}

/// Where a page is. The API gives at most 1,000 models at once, and 50 when not asked for more.
pub(crate) fn url(root: &str, page: Option<&str>) -> String {
    let token = page.map(|token| format!("&pageToken={}", percent_encoded(token))).unwrap_or_default();
    format!("{root}/models?pageSize=1000{token}")
}

/// Reads a page: the models that generate content, as others only embed, count or speak.
pub(crate) fn read(body: &[u8]) -> Result<Page, Failure> {
    let list: List = serde_json::from_slice(body)
        .map_err(|error| Failure::of(Fault::Protocol, format!("the list of models cannot be read: {error}")))?;
    let all = list.models.unwrap_or_default();
    // An empty page that promises more would be asked for without an end.
    let next = list.next_page_token.filter(|token| !token.is_empty() && !all.is_empty());
    let models = all.into_iter().filter(generates).map(Model::from).collect();
    Ok(Page { models, next })
}

fn generates(info: &Info) -> bool {
    let methods = info.supported_generation_methods.as_ref();
    methods.is_none_or(|methods| methods.iter().any(|method| method == "generateContent"))
}

impl From<Info> for Model {
    fn from(info: Info) -> Self {
        let id = info.name.strip_prefix("models/").map(str::to_owned);
        let thinks = info.thinking == Some(true);
        Self {
            id: id.unwrap_or(info.name),
            name: info.display_name,
            context_window: info.input_token_limit,
            max_output_tokens: info.output_token_limit,
            images: None,
            tools: None,
            reasoning_efforts: if thinks { EFFORTS.map(str::to_owned).to_vec() } else { Vec::new() },
            premium_multiplier: None,
        }
    }
}
