//! Who answers.

use super::*;
use crate::config::{Egress, Endpoint, EndpointKind, HeaderValue, Provider, WireApi};

const URL: (&str, &str) = ("COPILOT_PROVIDER_BASE_URL", "http://127.0.0.1:1/v1");
const MODEL: (&str, &str) = ("COPILOT_MODEL", "m");
const TOKEN: (&str, &str) = ("GITHUB_TOKEN", "github_pat_x");
const ONE: &str = "[providers.one]\nbase-url = \"http://127.0.0.1:2/v1\"\nmodel = \"m\"\n";
const TWO: &str = "[providers.two]\nbase-url = \"http://127.0.0.1:3/v1\"\nmodel = \"m\"\n";

fn endpoint(variables: &[(&str, &str)], toml: &str) -> (Endpoint, Report) {
    let (resolved, report) = fine(variables, toml);
    match resolved.provider.value {
        Provider::Endpoint(endpoint) => (*endpoint, report),
        other => panic!("not an endpoint: {}", other.name()),
    }
}

/// S01, S08, S11: GitHub is the last real one, and the demo comes after it.
#[test]
fn when_nobody_chooses() {
    for (variables, toml, name, from) in [
        (&[][..], "", "demo", "nothing else is configured"),
        (&[TOKEN], "", "github", "GITHUB_TOKEN"),
        (&[TOKEN], ONE, "one", "the only provider of the configuration file"),
        (&[TOKEN, URL, MODEL], ONE, "environment", "COPILOT_PROVIDER_BASE_URL"),
        (&[TOKEN, ("COPILOT_PROVIDER_BASE_URL", ""), MODEL], "", "github", "GITHUB_TOKEN"),
    ] {
        let (resolved, _) = fine(variables, toml);
        assert_eq!((resolved.provider.value.name(), resolved.provider.from.as_str()), (name, from));
    }
    let (message, hint) = failing(&[TOKEN], &format!("{ONE}{TWO}"));
    assert_eq!(message, "there are several providers and none is chosen: one, two");
    assert!(hint.contains("--provider") && hint.contains("LLMP_PROVIDER"));
}

/// S04: every prefix routes to GitHub when nobody chooses, but not past an endpoint that variables describe.
#[test]
fn s04_a_models_prefix_chooses_github() {
    for prefix in ["github-", "github/", "gh-", "gh/", "ghcp-", "ghcp/"] {
        let model = format!("{prefix}gpt-5");
        let (resolved, _) = fine(&[TOKEN, ("LLMP_MODEL", &model)], ONE);
        assert_eq!((resolved.provider.value.name(), resolved.provider.from.as_str()), ("github", "LLMP_MODEL"));
        assert_eq!(resolved.model.unwrap().value, "gpt-5", "S02, S03");
        let (resolved, _) = fine(&[TOKEN, URL, ("LLMP_MODEL", &model)], "");
        assert_eq!(resolved.provider.value.name(), "environment");
    }
    let (message, _) = failing(&[("LLMP_MODEL", "gh/gpt-5")], ONE);
    assert!(message.contains("needs a token"), "{message}");
}

#[test]
fn when_somebody_chooses() {
    let both = format!("{ONE}{TWO}");
    let chosen = |flag: Option<&str>, variables: &[(&str, &str)], toml: &str| {
        let flags = Flags { provider: flag.map(str::to_owned), ..Flags::default() };
        let (resolved, _) = on(&flags, variables, toml).unwrap_or_else(|failure| panic!("{}", failure.message));
        (resolved.provider.value.name().to_owned(), resolved.provider.from)
    };
    let expect = |name: &str, from: &str| (name.to_owned(), from.to_owned());
    let file = format!("provider = \"two\"\n{both}");
    assert_eq!(chosen(None, &[], &file), expect("two", "llmp.toml: provider"));
    assert_eq!(chosen(None, &[("LLMP_PROVIDER", "one")], &file), expect("one", "LLMP_PROVIDER"));
    assert_eq!(chosen(Some("demo"), &[("LLMP_PROVIDER", "one")], &file), expect("demo", "--provider"));
    assert_eq!(chosen(Some("github"), &[TOKEN, URL, MODEL], &file), expect("github", "--provider"));
    assert_eq!(chosen(Some("environment"), &[TOKEN, URL, MODEL], &file), expect("environment", "--provider"));
}

#[test]
fn an_unknown_provider_names_those_that_exist() {
    let both = format!("{ONE}{TWO}");
    let (message, hint) = failing(&[("LLMP_PROVIDER", "githbu")], &both);
    assert_eq!(message, "there is no provider `githbu` (LLMP_PROVIDER)");
    assert_eq!(hint, "did you mean `github`? there are: github, copilot, demo, environment, one, two");
    let (_, hint) = failing(&[("LLMP_PROVIDER", "zzz")], "");
    assert_eq!(hint, "there are: github, copilot, demo, environment");
    let (message, hint) = failing(&[("LLMP_PROVIDER", "environment")], "");
    assert!(message.contains("no variable gives its address") && hint.contains("COPILOT_PROVIDER_BASE_URL"));
    let (message, hint) = failing(&[("LLMP_PROVIDER", "github")], "");
    assert!(message.contains("COPILOT_GITHUB_TOKEN, GH_TOKEN, GITHUB_TOKEN") && hint.contains("gh auth token"));
}

#[test]
fn everything_an_endpoint_of_the_environment_can_say() {
    let variables = [
        ("GITHUB_COPILOT_PROVIDER_URL", "https://r.openai.azure.com"),
        ("COPILOT_PROVIDER_BASE_URL", "http://127.0.0.1:1/"),
        ("COPILOT_PROVIDER_TYPE", "azure"),
        ("COPILOT_PROVIDER_WIRE_API", "responses"),
        ("COPILOT_PROVIDER_AZURE_API_VERSION", "2024-10-21"),
        ("COPILOT_PROVIDER_API_KEY", "k"),
        MODEL,
    ];
    let (endpoint, report) = endpoint(&variables, "");
    assert_eq!(endpoint.base_url.from, "GITHUB_COPILOT_PROVIDER_URL", "the more specific name wins");
    assert!(report.settings.iter().any(|setting| setting.overridden == ["COPILOT_PROVIDER_BASE_URL"]));
    assert_eq!((endpoint.kind.value, endpoint.kind.from.as_str()), (EndpointKind::Azure, "COPILOT_PROVIDER_TYPE"));
    assert_eq!((endpoint.wire_api, endpoint.api_version.as_deref()), (Some(WireApi::Responses), Some("2024-10-21")));
    assert_eq!(endpoint.api_key.expect("a key").from, "COPILOT_PROVIDER_API_KEY");
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn everything_an_endpoint_of_the_file_can_say() {
    let toml = "[providers.one]\ntype = \"openai\"\nbase-url = \"https://h.example/v1\"\nwire-api = \"completions\"\n\
                key-env = \"KEY\"\nmodel = \"m\"\nthrough = \"copilot\"\negress = \"direct\"\nheaders = { X-Team = \"blue\" }\n\
                secret-headers = { X-Key = \"env:OTHER\" }\nmax-prompt-tokens = 1_000\nmax-output-tokens = 0x10\n";
    let (endpoint, _) = endpoint(&[("KEY", "k"), ("OTHER", "o")], toml);
    assert_eq!((endpoint.name.as_str(), endpoint.kind.value), ("one", EndpointKind::OpenAi));
    assert_eq!((endpoint.max_prompt_tokens, endpoint.max_output_tokens), (Some(1_000), Some(16)));
    assert_eq!(endpoint.egress, Some(Egress::Direct));
    assert_eq!(endpoint.api_key.expect("a key").from, "KEY");
    assert!(matches!(&endpoint.headers["X-Key"], HeaderValue::Secret(secret) if secret.expose() == "o"));
    assert!(matches!(&endpoint.headers["X-Team"], HeaderValue::Plain(text) if text == "blue"));
}

#[test]
fn an_inferred_type_is_reported_and_a_given_one_is_not() {
    let (inferred, report) = endpoint(&[("COPILOT_PROVIDER_BASE_URL", "https://r.services.ai.azure.com"), MODEL], "");
    assert_eq!(inferred.kind.value, EndpointKind::Azure);
    assert_eq!(inferred.kind.from, "inferred from COPILOT_PROVIDER_BASE_URL");
    assert_eq!(report.notes, ["the type azure was inferred from the address in COPILOT_PROVIDER_BASE_URL"]);
    let toml = "[providers.x]\nbase-url = \"https://api.anthropic.com\"\ntype = \"openai\"\nmodel = \"m\"";
    assert_eq!(endpoint(&[], toml).0.kind.value, EndpointKind::OpenAi, "what is said wins over the guess");
}

#[test]
fn an_endpoint_that_cannot_work_is_refused() {
    let table = |rest: &str| format!("[providers.x]\nmodel = \"m\"\n{rest}");
    for (toml, message) in [
        (table(""), "the provider `x` has no base-url"),
        (table("base-url = \"x\""), "is no address of an endpoint"),
        (table("base-url = \"ftp://h.example\""), "only http and https"),
        (table("base-url = \"https://h.example/v1?api-version=1\""), "has a query or a fragment"),
        (table("base-url = \"https://h.example\"\napi-version = \"1\""), "has a meaning for the type azure only"),
        (
            table("base-url = \"https://api.anthropic.com\"\nwire-api = \"responses\""),
            "no meaning for the type anthropic",
        ),
        (table("base-url = \"https://h.example\"\ntype = \"gemini\"\nwire-api = \"responses\""), "for the type gemini"),
        (
            table("base-url = \"https://h.example\"\ntype = \"gemini\"\nthrough = \"copilot\""),
            "the Copilot CLI does not speak the type gemini",
        ),
        (
            table("base-url = \"https://h.example\"\nmax-prompt-tokens = 1000"),
            "providers.x.max-prompt-tokens has a meaning for an endpoint behind the Copilot CLI only",
        ),
        (
            table("base-url = \"https://h.example\"\nthrough = \"http\"\negress = \"host\""),
            "providers.x.egress has a meaning for an endpoint behind the Copilot CLI only",
        ),
        (table("base-url = \"https://h.example\"\nkey-env = \"NOT_SET\""), "the variable NOT_SET, which is not set"),
        (table("base-url = \"https://h.example\"\nkey-file = \"none\""), "none cannot be read"),
        (table("base-url = \"https://h.example\"\nkey-env = \"A\"\nkey-file = \"b\""), "stands beside `key-env`"),
        (table("base-url = \"https://h.example\"\nheaders = { \"a b\" = \"c\" }"), "is no name of a header"),
        ("[providers.x]\nbase-url = \"https://h.example\"".to_owned(), "no model is named for the provider `x`"),
    ] {
        let (found, hint) = failing(&[], &toml);
        assert!(found.contains(message) && !hint.is_empty(), "{toml}: {found}");
    }
    let (message, hint) = failing(&[URL], "");
    assert!(message.contains("no model") && hint.contains("COPILOT_MODEL"), "{message} / {hint}");
}

#[test]
fn variables_that_describe_nothing_are_reported() {
    let (_, report) = fine(&[("COPILOT_PROVIDER_TYPE", "azure"), ("COPILOT_PROVIDER_API_KEY", "k")], "");
    let messages: Vec<_> = report.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages.iter().all(|message| message.contains("without an address")));
    let (_, report) = fine(&[("GITHUB_MODEL", "m")], ONE);
    assert_eq!(
        report.notes,
        [
            "GITHUB_MODEL is set and says nothing about this provider",
            "the type openai was inferred from the address in llmp.toml: providers.one.base-url"
        ]
    );
}
