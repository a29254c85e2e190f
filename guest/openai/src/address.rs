//! The addresses of a service.

use crate::config::{Config, Service};
use llm_provider_core::endpoint::percent_encoded;

/// Where the requests go.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// Up to the slash before `chat/completions`.
    base: String,
    /// Whether the model stands in the path of chat completions.
    deployments: bool,
    /// With its question mark; empty for none.
    query: String,
}

impl Address {
    /// The addresses of a configuration that was checked.
    pub(crate) fn new(config: &Config) -> Self {
        let given = config.base_url.trim_end_matches('/');
        let base = match config.service {
            Service::Openai if has_path(given) => given.to_owned(),
            Service::Openai => format!("{given}/v1"),
            Service::Azure => azure(given, config.deployments),
        };
        let query = config.api_version.as_deref().map_or_else(String::new, |version| format!("?api-version={version}"));
        Self { base, deployments: config.deployments, query }
    }

    pub(crate) fn chat_completions(&self, model: &str) -> String {
        let deployment =
            if self.deployments { format!("/deployments/{}", percent_encoded(model)) } else { String::new() };
        format!("{}{deployment}/chat/completions{}", self.base, self.query)
    }

    /// Azure has no deployment in the path of this one, so the model stands in the body alone.
    pub(crate) fn responses(&self) -> String {
        format!("{}/responses{}", self.base, self.query)
    }

    pub(crate) fn models(&self) -> String {
        format!("{}/models{}", self.base, self.query)
    }
}

fn has_path(url: &str) -> bool {
    url.split("://").nth(1).is_some_and(|rest| rest.contains('/'))
}

/// The resource's address may be given bare or as far as its paths are shown to the people who look them up.
fn azure(given: &str, deployments: bool) -> String {
    let resource = given.strip_suffix("/v1").unwrap_or(given);
    let resource = resource.strip_suffix("/openai").unwrap_or(given);
    format!("{resource}/openai{}", if deployments { "" } else { "/v1" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(json: &str) -> Address {
        Address::new(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_path_is_taken_as_it_is_and_v1_is_added_where_there_is_none() {
        for (base, want) in [
            ("https://api.openai.com", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1/chat/completions"),
            ("http://127.0.0.1:8080/v1beta/openai", "http://127.0.0.1:8080/v1beta/openai/chat/completions"),
        ] {
            assert_eq!(address(&format!(r#"{{"base-url":"{base}"}}"#)).chat_completions("m"), want);
        }
        let address = address(r#"{"base-url":"https://a.example/v1"}"#);
        assert_eq!(address.responses(), "https://a.example/v1/responses");
        assert_eq!(address.models(), "https://a.example/v1/models");
    }

    #[test]
    fn azure_has_its_own_paths() {
        for base in ["https://r.example", "https://r.example/openai", "https://r.example/openai/v1/"] {
            let v1 = address(&format!(r#"{{"base-url":"{base}","service":"azure"}}"#));
            assert_eq!(v1.chat_completions("m"), "https://r.example/openai/v1/chat/completions");
            assert_eq!(v1.responses(), "https://r.example/openai/v1/responses");
            let old =
                format!(r#"{{"base-url":"{base}","service":"azure","api-version":"2024-10-21","deployments":true}}"#);
            let old = address(&old);
            let want = "https://r.example/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21";
            assert_eq!(old.chat_completions("my gpt/4"), want);
            assert_eq!(old.responses(), "https://r.example/openai/responses?api-version=2024-10-21");
            assert_eq!(old.models(), "https://r.example/openai/models?api-version=2024-10-21");
        }
        let preview = address(r#"{"base-url":"https://r.example","service":"azure","api-version":"preview"}"#);
        assert_eq!(preview.models(), "https://r.example/openai/v1/models?api-version=preview");
    }
}
