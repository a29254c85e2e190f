//! The dialect of an endpoint whose type nobody said, guessed from its address.

use super::EndpointKind;
use llm_provider_host::egress::Origin;

/// Hosts of Azure OpenAI, and of Azure AI Foundry, which serves it too.
const AZURE: [&str; 3] = [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"];

/// Where Gemini is.
const GEMINI: &str = "generativelanguage.googleapis.com";

/// Guesses. Azure also speaks OpenAI's own dialect below `/openai/v1`, and Anthropic's below `/anthropic`; Google
/// speaks OpenAI's where the path ends in `/openai`.
pub(super) fn infer(base_url: &str) -> EndpointKind {
    let host = Origin::of(base_url).map(|origin| origin.host().to_string()).unwrap_or_default();
    let host = host.trim_end_matches('.');
    let path = path(base_url).to_lowercase();
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if AZURE.iter().any(|suffix| host.ends_with(suffix)) {
        return if below("/openai/v1") {
            EndpointKind::OpenAi
        } else if below("/anthropic") {
            EndpointKind::Anthropic
        } else {
            EndpointKind::Azure
        };
    }
    if host == GEMINI && !path.trim_end_matches('/').ends_with("/openai") {
        return EndpointKind::Gemini;
    }
    if host.contains("anthropic") || path.contains("anthropic") {
        EndpointKind::Anthropic
    } else {
        EndpointKind::OpenAi
    }
}

/// From the first slash after the host.
fn path(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme.find('/').and_then(|start| after_scheme.get(start..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B24: Azure on its other hosts, and OpenAI's dialect on Azure. S07: the rest.
    #[test]
    fn b24_s07_by_address() {
        use EndpointKind::{Anthropic, Azure, Gemini, OpenAi};
        for (url, kind) in [
            ("https://r.openai.azure.com", Azure),
            ("https://R.OpenAI.Azure.com/", Azure),
            ("https://r.openai.azure.com./", Azure),
            ("https://r.services.ai.azure.com/", Azure),
            ("https://r.cognitiveservices.azure.com", Azure),
            ("https://r.openai.azure.com/openai/v1", OpenAi),
            ("https://r.openai.azure.com/openai/v1/", OpenAi),
            ("https://r.services.ai.azure.com/openai/v1/", OpenAi),
            ("https://r.openai.azure.com/openai/v10", Azure),
            ("https://r.openai.azure.com/openai/deployments/x", Azure),
            ("https://r.services.ai.azure.com/anthropic/", Anthropic),
            ("https://api.anthropic.com", Anthropic),
            ("https://gateway.example/anthropic", Anthropic),
            ("https://anthropic.gateway.example/v1", Anthropic),
            ("https://generativelanguage.googleapis.com", Gemini),
            ("https://generativelanguage.googleapis.com/v1beta/", Gemini),
            ("https://generativelanguage.googleapis.com/v1beta/openai/", OpenAi),
            ("https://generativelanguage.googleapis.com.evil.example/v1beta", OpenAi),
            ("https://api.openai.com/v1", OpenAi),
            ("http://localhost:11434/v1", OpenAi),
            ("http://127.0.0.1:1234/v1", OpenAi),
            ("https://r.openai.azure.com.evil.example/", OpenAi),
            ("https://openai.azure.com/", OpenAi),
            ("https://evil.example/r.openai.azure.com", OpenAi),
        ] {
            assert_eq!(infer(url), kind, "{url}");
        }
    }
}
