//! Tables with the name of a service: what they leave out, the service's own variables say.

use super::*;
use crate::config::{Endpoint, EndpointKind, Provider};

fn answers(variables: &[(&str, &str)], toml: &str) -> (Endpoint, Option<String>, Report) {
    let (resolved, report) = fine(variables, toml);
    let Provider::Endpoint(endpoint) = resolved.provider.value else { panic!("an endpoint") };
    (*endpoint, resolved.model.map(|model| model.from), report)
}

#[test]
fn a_key_goes_where_the_services_variable_says() {
    for (toml, address, from) in [
        ("[providers.openai]\n", "http://127.0.0.1:7/v1", "OPENAI_BASE_URL"),
        ("[providers.openai]\nmodel = \"m\"\n", "http://127.0.0.1:7/v1", "OPENAI_BASE_URL"),
        (
            "[providers.openai]\nbase-url = \"http://127.0.0.1:8/v1\"\n",
            "http://127.0.0.1:8/v1",
            "llmp.toml: providers.openai.base-url",
        ),
    ] {
        let variables =
            [("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://127.0.0.1:7/v1/"), ("OPENAI_MODEL", "gpt-5")];
        let (endpoint, model, _) = answers(&variables, toml);
        assert_eq!(endpoint.base_url.value.trim_end_matches('/'), address, "{toml}");
        assert_eq!(endpoint.base_url.from, from, "{toml}");
        assert_eq!(endpoint.api_key.expect("a key").from, "OPENAI_API_KEY");
        let of_table = toml.contains("model").then_some("llmp.toml: providers.openai.model");
        assert_eq!(model.as_deref(), of_table.or(Some("OPENAI_MODEL")));
    }
    let (endpoint, ..) = answers(&[("OPENAI_API_KEY", "k")], "[providers.openai]\nmodel = \"m\"");
    assert_eq!(endpoint.base_url.value, "https://api.openai.com/v1");
    assert_eq!(endpoint.base_url.from, "the service openai");
}

#[test]
fn a_host_alone_is_an_address_beside_a_table_too() {
    let toml = "[providers.ollama]\nmodel = \"m\"";
    assert_eq!(answers(&[("OLLAMA_HOST", "127.0.0.1")], toml).0.base_url.value, "http://127.0.0.1:11434/v1");
    assert!(failing(&[], toml).0.contains("has no base-url"));
}

#[test]
fn azures_variables_fill_its_table_and_are_told() {
    let variables = [
        ("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com"),
        ("AZURE_OPENAI_API_KEY", "k"),
        ("AZURE_OPENAI_DEPLOYMENT", "d"),
        ("AZURE_OPENAI_API_VERSION", "2024-10-21"),
    ];
    let (endpoint, model, report) = answers(&variables, "[providers.azure]\nheaders = { X-Team = \"blue\" }");
    assert_eq!((endpoint.base_url.from.as_str(), endpoint.kind.value), ("AZURE_OPENAI_ENDPOINT", EndpointKind::Azure));
    assert_eq!(endpoint.api_version.as_deref(), Some("2024-10-21"));
    assert_eq!(model.as_deref(), Some("AZURE_OPENAI_DEPLOYMENT"));
    let told = |name: &str| report.settings.iter().find(|setting| setting.name == name).expect("told").from.clone();
    assert_eq!(told("api-version"), "AZURE_OPENAI_API_VERSION");
    assert_eq!(told("key of the endpoint"), "AZURE_OPENAI_API_KEY");
    let (endpoint, ..) = answers(&variables, "[providers.azure]\napi-version = \"2025-01-01\"");
    assert_eq!(endpoint.api_version.as_deref(), Some("2025-01-01"), "what the file says wins");
    // The version is one of Azure's dialect, and would be refused beside another.
    let (endpoint, ..) = answers(&variables, "[providers.azure]\ntype = \"openai\"");
    assert_eq!(endpoint.api_version, None);
}

#[test]
fn a_token_is_taken_where_the_file_names_no_secret() {
    let both = [("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_AUTH_TOKEN", "t"), ("MINE", "m"), ("ANTHROPIC_MODEL", "c")];
    let token = |variables: &[(&str, &str)], more: &str| {
        let (endpoint, _, report) = answers(variables, &format!("[providers.anthropic]\n{more}"));
        (endpoint.api_key.map(|key| key.from), endpoint.token.map(|token| token.from), report)
    };
    let name = |name: &str| Some(name.to_owned());
    let (key, taken, report) = token(&both[1..], "");
    assert_eq!((key, taken), (None, name("ANTHROPIC_AUTH_TOKEN")));
    assert!(report.settings.iter().any(|setting| setting.from == "ANTHROPIC_AUTH_TOKEN"), "{report:?}");
    assert_eq!(token(&both, "").1, name("ANTHROPIC_AUTH_TOKEN"));
    let (key, taken, _) = token(&both, "key-env = \"MINE\"");
    assert_eq!((key, taken), (name("MINE"), None), "a token would go out in its place");
    let (key, taken, _) = token(&both, "secret-headers = { X-Key = \"env:MINE\" }");
    assert_eq!((key, taken), (None, None));
    // The Copilot CLI has no place for a token.
    let (key, taken, report) = token(&both, "through = \"copilot\"");
    assert_eq!((key, taken), (name("ANTHROPIC_API_KEY"), None));
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let (_, taken, report) = token(&both[1..], "through = \"copilot\"");
    assert!(taken.is_none() && report.notes[0].starts_with("ANTHROPIC_AUTH_TOKEN has no place"), "{:?}", report.notes);
}
