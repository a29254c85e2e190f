//! Services that are known by name, and models that say who answers.

use super::*;
use crate::config::{EndpointKind, Provider, Through};

const OPENAI: (&str, &str) = ("OPENAI_API_KEY", "sk-o");
const ANTHROPIC: (&str, &str) = ("ANTHROPIC_API_KEY", "sk-a");
const TOKEN: (&str, &str) = ("GITHUB_TOKEN", "github_pat_x");
const BYOK: (&str, &str) = ("COPILOT_PROVIDER_BASE_URL", "http://127.0.0.1:1/v1");

fn chosen(flags: &Flags, variables: &[(&str, &str)], toml: &str) -> (String, Option<String>) {
    let (resolved, _) = on(flags, variables, toml).unwrap_or_else(|failure| panic!("{}", failure.message));
    (resolved.provider.value.name().to_owned(), resolved.model.map(|model| model.value))
}

fn model(name: &str) -> Flags {
    Flags { model: Some(name.into()), ..Flags::default() }
}

fn is(provider: &str, model: &str) -> (String, Option<String>) {
    (provider.to_owned(), Some(model.to_owned()))
}

#[test]
fn a_models_prefix_chooses_among_those_that_are_configured() {
    let both = [OPENAI, ANTHROPIC, TOKEN];
    for (name, expected) in [
        ("openai/gpt-5", is("openai", "gpt-5")),
        ("anthropic/claude-x", is("anthropic", "claude-x")),
        ("anthropic/a/b", is("anthropic", "a/b")),
        ("copilot/gpt-5", is("github", "gpt-5")),
        ("github/gpt-5", is("github", "gpt-5")),
        ("demo/x", is("demo", "x")),
        ("gpt-5", is("openai", "gpt-5")),
        ("vendor/gpt-5", is("openai", "vendor/gpt-5")),
    ] {
        assert_eq!(chosen(&model(name), &both, ""), expected, "{name}");
    }
    let table = "[providers.work]\nbase-url = \"http://127.0.0.1:2/v1\"";
    assert_eq!(chosen(&model("work/m"), &both, table), is("work", "m"));
    assert_eq!(chosen(&model("copilot/m"), &[BYOK], ""), is("environment", "copilot/m"), "its own names have slashes");
    let flags = Flags { provider: Some("openai".into()), ..model("anthropic/x") };
    assert_eq!(
        chosen(&flags, &both, ""),
        is("openai", "anthropic/x"),
        "who is named answers, and the name is untouched"
    );
}

#[test]
fn a_service_that_is_not_configured_is_told_and_not_replaced() {
    for (variables, name) in [(&[TOKEN][..], "openai/gpt-5"), (&[ANTHROPIC], "openai/gpt-5"), (&[], "xai/grok")] {
        let failure = on(&model(name), variables, "").err().expect("not configured");
        assert!(failure.message.contains("which is not configured"), "{}", failure.message);
    }
    let router = [("OPENROUTER_API_KEY", "k")];
    assert_eq!(
        chosen(&model("openai/gpt-5"), &router, ""),
        is("openrouter", "openai/gpt-5"),
        "its names are like that"
    );
    let (message, hint) = failing(&[("LLMP_PROVIDER", "azure")], "");
    assert!(message.contains("`azure`") && hint.contains("AZURE_OPENAI_API_KEY"), "{message} / {hint}");
}

/// S11: GitHub is last; and who has no model is not asked.
#[test]
fn s11_services_go_before_github_when_they_have_a_model() {
    let with_model = [TOKEN, OPENAI, ("OPENAI_MODEL", "gpt-5")];
    assert_eq!(chosen(&Flags::default(), &with_model, ""), is("openai", "gpt-5"));
    assert_eq!(chosen(&Flags::default(), &[TOKEN, OPENAI], ""), ("github".to_owned(), None));
    let (_, report) = fine(&[TOKEN, OPENAI], "");
    assert!(report.notes[0].contains("openai is configured and is not asked"), "{:?}", report.notes);
    let (message, hint) = failing(&[OPENAI], "");
    assert!(message.contains("no model") && hint.contains("OPENAI_MODEL") && hint.contains("llmp models"), "{hint}");
    let second = [OPENAI, ANTHROPIC, ("ANTHROPIC_MODEL", "claude-x")];
    assert_eq!(chosen(&Flags::default(), &second, ""), is("anthropic", "claude-x"));
}

#[test]
fn a_table_with_a_services_name_says_only_what_differs() {
    let toml = "provider = \"anthropic\"\n[providers.anthropic]\nmodel = \"claude-x\"";
    let (resolved, _) = fine(&[ANTHROPIC], toml);
    let Provider::Endpoint(endpoint) = &resolved.provider.value else { panic!("an endpoint") };
    assert_eq!((endpoint.kind.value, endpoint.through), (EndpointKind::Anthropic, Through::Http));
    assert_eq!(endpoint.base_url.value, "https://api.anthropic.com");
    assert_eq!(endpoint.api_key.as_ref().expect("a key").from, "ANTHROPIC_API_KEY");
}

#[test]
fn tables_are_reached_over_http_and_the_clis_own_variables_through_it() {
    let way = |variables: &[(&str, &str)], toml: &str| match fine(variables, toml).0.provider.value {
        Provider::Endpoint(endpoint) => endpoint.through,
        other => panic!("{}", other.name()),
    };
    let table = "[providers.x]\nmodel = \"m\"\nbase-url = \"http://127.0.0.1:1/v1\"\n";
    assert_eq!(way(&[], table), Through::Http);
    assert_eq!(way(&[], &format!("{table}through = \"copilot\"")), Through::Copilot);
    assert_eq!(way(&[BYOK, ("COPILOT_MODEL", "m")], ""), Through::Copilot);
    let (message, _) = failing(&[("T", "t")], &format!("{table}through = \"copilot\"\ntoken-env = \"T\""));
    assert!(message.contains("has no place"), "{message}");
}

#[test]
fn the_fallback_names_models_of_anybody() {
    let toml = "model = \"openai/gpt-5\"\nfallback = [\"anthropic/claude-x\", \"gpt-4\", \"gh/gpt-4\"]";
    let (resolved, _) = fine(&[OPENAI, ANTHROPIC, TOKEN], toml);
    let told: Vec<_> = resolved
        .fallback
        .iter()
        .map(|next| (next.provider.value.name().to_owned(), next.model.value.clone()))
        .collect();
    let expected = [("anthropic", "claude-x"), ("openai", "gpt-4"), ("github", "gpt-4")];
    assert_eq!(told, expected.map(|(provider, model)| (provider.to_owned(), model.to_owned())));
}

#[test]
fn all_that_are_configured_can_be_listed() {
    let scratch = Scratch::new();
    let all = |variables: &[(&str, &str)], provider: Option<&str>| {
        let home = scratch.path("home").display().to_string();
        let home = std::iter::once(("HOME".to_owned(), home));
        let env = home.chain(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let flags = Flags { provider: provider.map(str::to_owned), ..Flags::default() };
        let all = crate::config::resolve_all(&flags, &Environment::of(env), &scratch.path("work")).expect("told");
        all.into_iter()
            .map(|one| one.map(|resolved| resolved.provider.value.name().to_owned()).map_err(|failure| failure.message))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        all(&[OPENAI, ANTHROPIC, TOKEN], None),
        ["openai", "anthropic", "github"].map(|name| Ok(name.to_owned()))
    );
    assert_eq!(all(&[OPENAI, ANTHROPIC], Some("anthropic")), [Ok("anthropic".to_owned())]);
    assert_eq!(all(&[], None), [Ok("demo".to_owned())]);
    let with_default = all(&[OPENAI, ANTHROPIC, ("LLMP_PROVIDER", "openai")], None);
    assert_eq!(with_default, ["openai", "anthropic"].map(|name| Ok(name.to_owned())), "a default takes none away");
    scratch.write("work/llmp.toml", "provider = \"anthropic\"\n");
    assert_eq!(all(&[OPENAI, ANTHROPIC], None), with_default);
    let wrong = all(&[OPENAI, ("GITHUB_TOKEN", "ghp_x")], None);
    assert!(wrong[0].is_ok() && wrong[1].as_ref().is_err_and(|message| message.contains("ghp_")), "{wrong:?}");
}
