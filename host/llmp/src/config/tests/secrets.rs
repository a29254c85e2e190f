//! GitHub tokens stay away from endpoints, and endpoints' keys from GitHub.

use super::*;
use crate::config::Provider;
use crate::failure::FailureKind;

const URL: (&str, &str) = ("COPILOT_PROVIDER_BASE_URL", "http://127.0.0.1:1/v1");
const MODEL: (&str, &str) = ("LLMP_MODEL", "m");

fn with_key(place: &str) -> String {
    format!("[providers.x]\nbase-url = \"https://h.example/v1\"\nmodel = \"m\"\n{place}")
}

/// B08: with a GitHub token and no key of its own an endpoint gets no key at all.
#[test]
fn b08_a_github_token_is_never_an_endpoints_key() {
    let tokens = [("COPILOT_GITHUB_TOKEN", "gho_a"), ("GH_TOKEN", "gho_b"), ("GITHUB_TOKEN", "gho_c")];
    let variables: Vec<_> = tokens.into_iter().chain([URL, MODEL]).collect();
    let (resolved, _) = fine(&variables, "");
    let Provider::Endpoint(endpoint) = resolved.provider.value else { panic!("not an endpoint") };
    assert!(endpoint.api_key.is_none() && endpoint.headers.is_empty());
}

#[test]
fn an_endpoints_key_is_never_a_github_token() {
    let (resolved, _) = fine(&[("COPILOT_PROVIDER_API_KEY", "k")], "");
    assert!(matches!(resolved.provider.value, Provider::Demo));
    let (message, _) =
        failing(&[("COPILOT_PROVIDER_API_KEY", "k")], "[github]\ntoken-env = \"COPILOT_PROVIDER_API_KEY\"");
    assert!(message.contains("never goes to GitHub"), "{message}");
    let (message, _) = failing(&[("GITHUB_TOKEN", "sk-hunter2")], "");
    assert!(message.starts_with("GITHUB_TOKEN holds an endpoint's key") && !message.contains("hunter2"), "{message}");
}

#[test]
fn a_key_that_is_a_github_token_is_refused_by_look_by_name_and_by_value() {
    for token in ["gho_hunter2", "ghp_hunter2", "ghs_hunter2", "ghu_hunter2", "github_pat_hunter2"] {
        let (message, hint) = failing(&[URL, MODEL, ("COPILOT_PROVIDER_API_KEY", token)], "");
        assert!(message.contains("COPILOT_PROVIDER_API_KEY, which holds a GitHub token"), "{message}");
        assert!(!message.contains("hunter2") && !hint.contains("hunter2"));
        let (message, _) = failing(&[("KEY", token)], &with_key("key-env = \"KEY\""));
        assert!(message.contains("llmp.toml: providers.x.key-env names KEY"), "{message}");
        let bearer = format!("Bearer {token}");
        let (message, _) = failing(&[("KEY", &bearer)], &with_key("secret-headers = { Authorization = \"env:KEY\" }"));
        assert!(message.contains("secret-headers.Authorization names KEY"), "{message}");
    }
    for name in ["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"] {
        let (message, _) = failing(&[(name, "0123abcd")], &with_key(&format!("key-env = \"{name}\"")));
        assert!(message.contains("a variable of GitHub tokens"), "{message}");
    }
    // An old token without a prefix, copied to another name.
    let (message, _) = failing(&[("GH_TOKEN", "0123abcd"), ("KEY", "0123abcd")], &with_key("key-env = \"KEY\""));
    assert!(message.contains("which holds the value of GH_TOKEN"), "{message}");
}

#[test]
fn one_place_cannot_hold_both() {
    for place in ["key-env = \"MINE\"", "secret-headers = { X-Key = \"env:MINE\" }"] {
        let toml = format!("[github]\ntoken-env = \"MINE\"\n{}", with_key(place));
        let (message, _) = failing(&[("MINE", "0123abcd")], &toml);
        assert!(message.starts_with("llmp.toml: github.token-env and llmp.toml: providers.x."), "{message}");
        assert!(message.ends_with("name the same secret: MINE"), "{message}");
    }
}

#[test]
fn classic_tokens_are_refused_with_the_reason_only_when_github_is_to_answer() {
    for name in ["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"] {
        let (message, hint) = failing(&[(name, "ghp_hunter2")], "");
        assert_eq!(
            message,
            format!("{name} holds a classic personal access token (ghp_), and those have no Copilot permission")
        );
        assert!(hint.contains("'Copilot Requests'") && hint.contains("gh auth token"), "{hint}");
    }
    assert!(matches!(fine(&[("GH_TOKEN", "ghp_x"), URL, MODEL], "").0.provider.value, Provider::Endpoint(_)));
    assert!(matches!(fine(&[("GH_TOKEN", "ghp_x")], "provider = \"demo\"").0.provider.value, Provider::Demo));
}

#[test]
fn secrets_come_from_files_without_the_line_break() {
    let scratch = Scratch::new();
    let toml = "[github]\ntoken-file = \"~/token\"\n";
    scratch.write("work/llmp.toml", toml);
    scratch.write("home/token", "gho_x\n");
    let (resolved, _) = in_scratch(&scratch, &Flags::default(), &[]).expect("resolves");
    let Provider::Github { token } = resolved.provider.value else { panic!("not github") };
    assert!(token.from.ends_with("home/token"), "{}", token.from);
    scratch.write("home/token", "gho_x\ngho_y\n");
    let failure = in_scratch(&scratch, &Flags::default(), &[]).err().unwrap();
    assert!(failure.message.contains("more than one line"), "{}", failure.message);
    scratch.write("home/token", "\n");
    let failure = in_scratch(&scratch, &Flags::default(), &[]).err().unwrap();
    assert!(failure.message.contains("is empty"), "{}", failure.message);
}

/// Who names a token is not answered by the demo; another provider answers, and it is reported.
#[test]
fn a_place_without_a_token_is_an_error_where_nobody_else_is_configured() {
    let toml = "[github]\ntoken-env = \"MINE\"\n";
    for provider in [None, Some("github")] {
        let flags = Flags { provider: provider.map(str::to_owned), ..Flags::default() };
        let failure = on(&flags, &[], toml).err().expect("there is no token");
        assert_eq!(failure.kind, FailureKind::Usage);
        let says = "llmp.toml: github.token-env names MINE, which is not there, and no variable holds a GitHub token";
        assert_eq!(failure.message, says);
        assert_eq!(failure.hint.as_deref(), Some("set or write it, or correct the key"));
    }
    let scratch = Scratch::new();
    let file = scratch.write("work/llmp.toml", "[github]\ntoken-file = \"none\"\n");
    let failure = in_scratch(&scratch, &Flags::default(), &[]).err().expect("there is no token");
    assert!(failure.message.contains("work/none, which is not there"), "{}", failure.message);
    let env = Environment::of([("HOME", scratch.path("home").display().to_string())]);
    let all = crate::config::resolve_all(&Flags::default(), &env, &scratch.path("work")).expect("told");
    assert!(all.len() == 1 && all[0].is_err(), "{} is no reason for the demo", file.display());
    for (variables, more) in [(&[][..], "provider = \"demo\"\n"), (&[URL, MODEL][..], "")] {
        let (resolved, report) = fine(variables, &format!("{more}{toml}"));
        assert!(!matches!(resolved.provider.value, Provider::Github { .. }));
        assert_eq!(report.problems[0].message, "llmp.toml: github.token-env names MINE, which is not there");
    }
    assert!(matches!(fine(&[("GH_TOKEN", "gho_x")], toml).0.provider.value, Provider::Github { .. }));
}

#[test]
fn no_secret_is_in_what_can_be_printed() {
    let secrets =
        [("COPILOT_GITHUB_TOKEN", "gho_hunter2"), ("COPILOT_PROVIDER_API_KEY", "hunter2"), ("OTHER", "hunter2"), MODEL];
    let toml = with_key("key-env = \"OTHER\"\nsecret-headers = { X-Key = \"env:OTHER\" }");
    for provider in ["github", "x"] {
        let flags = Flags { provider: Some(provider.to_owned()), ..Flags::default() };
        let (resolved, report) = on(&flags, &secrets, &toml).expect("resolves");
        assert_eq!(resolved.provider.value.name(), provider, "of it nothing can be printed, by its type");
        assert!(!format!("{report:?}").contains("hunter2"));
    }
}

#[test]
fn a_key_over_plain_http_is_reported_unless_it_stays_on_the_machine() {
    let problems = |url: &str| {
        let variables = [("COPILOT_PROVIDER_BASE_URL", url), MODEL, ("COPILOT_PROVIDER_API_KEY", "k")];
        fine(&variables, "").1.problems.len()
    };
    for (url, count) in [
        ("http://h.example/v1", 1),
        ("https://h.example/v1", 0),
        ("http://127.0.0.1:1/v1", 0),
        ("http://[::1]:1/v1", 0),
        ("http://localhost:1/v1", 0),
        ("http://localhost.example/v1", 1),
    ] {
        assert_eq!(problems(url), count, "{url}");
    }
}
