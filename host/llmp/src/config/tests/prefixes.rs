//! Models with a provider's name before them, beside a provider that is named elsewhere.

use super::*;

const OPENAI: (&str, &str) = ("OPENAI_API_KEY", "sk-o");
const ANTHROPIC: (&str, &str) = ("ANTHROPIC_API_KEY", "sk-a");
const ROUTER: (&str, &str) = ("OPENROUTER_API_KEY", "sk-r");
const TOKEN: (&str, &str) = ("GITHUB_TOKEN", "github_pat_x");
const BYOK: (&str, &str) = ("COPILOT_PROVIDER_BASE_URL", "http://127.0.0.1:1/v1");
/// As README shows it.
const WORK: &str = "provider = \"work\"\nmodel = \"gpt-5\"\n[providers.work]\nbase-url = \"http://127.0.0.1:2/v1\"\n";

fn answers(model: &str, provider: Option<&str>, variables: &[(&str, &str)], toml: &str) -> (String, String) {
    let flags = Flags { model: Some(model.to_owned()), provider: provider.map(str::to_owned), ..Flags::default() };
    let (resolved, _) = on(&flags, variables, toml).unwrap_or_else(|failure| panic!("{model}: {}", failure.message));
    (resolved.provider.value.name().to_owned(), resolved.model.expect("a model").value)
}

fn is(provider: &str, model: &str) -> (String, String) {
    (provider.to_owned(), model.to_owned())
}

#[test]
fn a_models_prefix_goes_before_the_files_provider() {
    let all = [ANTHROPIC, OPENAI, TOKEN];
    for (name, expected) in [
        ("anthropic/claude-x", is("anthropic", "claude-x")),
        ("openai/a/b", is("openai", "a/b")),
        ("copilot/gpt-5", is("github", "gpt-5")),
        ("github/gpt-5", is("github", "gpt-5")),
        ("gh/gpt-5", is("github", "gpt-5")),
        ("demo/demo", is("demo", "demo")),
        ("work/gpt-5", is("work", "gpt-5")),
        ("work/work/x", is("work", "work/x")),
        ("gpt-5", is("work", "gpt-5")),
        // Nobody is called so, or nobody has configured it: it is a name of the provider's own.
        ("vendor/gpt-5", is("work", "vendor/gpt-5")),
        ("xai/grok", is("work", "xai/grok")),
        ("gh-gpt-5", is("work", "gh-gpt-5")),
        ("gh-org/x", is("work", "gh-org/x")),
        ("anthropic/", is("work", "anthropic/")),
    ] {
        assert_eq!(answers(name, None, &all, WORK), expected, "{name}");
    }
    assert_eq!(answers("github/gpt-5", None, &[], WORK), is("work", "github/gpt-5"), "without a token");
    assert_eq!(answers("copilot/gpt-5", None, &[], WORK), is("work", "copilot/gpt-5"), "without a token");
    let (resolved, report) = fine(&[ANTHROPIC, ("LLMP_MODEL", "anthropic/claude-x")], WORK);
    assert_eq!((resolved.provider.value.name(), resolved.provider.from.as_str()), ("anthropic", "LLMP_MODEL"));
    let setting = report.settings.iter().find(|setting| setting.name == "provider").expect("told");
    assert_eq!(
        (setting.from.as_str(), &setting.overridden[..]),
        ("LLMP_MODEL", &["llmp.toml: provider".to_owned()][..])
    );
}

#[test]
fn who_is_named_by_flag_or_variable_answers_whatever_the_model_is_called() {
    let all = [ANTHROPIC, OPENAI, TOKEN];
    for (provider, name, expected) in [
        ("work", "anthropic/claude-x", is("work", "anthropic/claude-x")),
        ("work", "work/gpt-5", is("work", "gpt-5")),
        ("openai", "openai/gpt-5", is("openai", "gpt-5")),
        ("github", "copilot/gpt-5", is("github", "gpt-5")),
        ("copilot", "github/gpt-5", is("github", "gpt-5")),
        ("demo", "demo/x", is("demo", "x")),
    ] {
        assert_eq!(answers(name, Some(provider), &all, WORK), expected, "{provider}: {name}");
        let variables = [&all[..], &[("LLMP_PROVIDER", provider)]].concat();
        assert_eq!(answers(name, None, &variables, WORK), expected, "{provider}: {name}");
    }
    let toml = WORK.replace("\"gpt-5\"", "\"work/gpt-5\"");
    assert_eq!(
        fine(&[], &toml).0.model.expect("a model").value,
        "gpt-5",
        "the file's name of a model is written likewise"
    );
}

#[test]
fn an_endpoint_of_the_environment_has_a_name_too() {
    assert_eq!(answers("environment/gpt", None, &[BYOK], ""), is("environment", "gpt"));
    assert_eq!(answers("environment/gpt", None, &[BYOK], WORK), is("environment", "gpt"));
    assert_eq!(answers("environment/gpt", Some("copilot"), &[BYOK], ""), is("environment", "gpt"));
    assert_eq!(answers("work/gpt", None, &[BYOK], &WORK.replace("provider = \"work\"", "")), is("work", "gpt"));
    assert_eq!(answers("openai/gpt-5", None, &[BYOK, OPENAI], ""), is("openai", "gpt-5"), "as `llmp models` prints it");
    assert_eq!(answers("openai/gpt-5", None, &[BYOK], ""), is("environment", "openai/gpt-5"));
}

#[test]
fn who_routes_keeps_its_own_names() {
    let all = [ANTHROPIC, ROUTER];
    let file = "provider = \"openrouter\"";
    for (provider, toml) in [(Some("openrouter"), ""), (None, file)] {
        for (name, model) in [
            ("anthropic/claude-x", "anthropic/claude-x"),
            ("openrouter/anthropic/claude-x", "anthropic/claude-x"),
            ("openrouter/auto", "openrouter/auto"),
            ("openrouter/openrouter/auto", "openrouter/auto"),
        ] {
            assert_eq!(answers(name, provider, &all, toml), is("openrouter", model), "{name}");
        }
    }
    assert_eq!(answers("anthropic/claude-x", None, &all, ""), is("anthropic", "claude-x"), "nobody is named");
    assert_eq!(answers("openrouter/auto", None, &all, ""), is("openrouter", "openrouter/auto"));
    let with_table = format!("{file}\n[providers.mine]\nbase-url = \"http://127.0.0.1:2/v1\"");
    assert_eq!(answers("mine/m", None, &all, &with_table), is("mine", "m"));
}
