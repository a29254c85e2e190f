//! Keys and values that the file may not have.

use super::*;

/// H11: a mistyped key is an error that names the nearest one.
#[test]
fn h11_a_mistyped_key_names_file_place_and_the_nearest_key() {
    for (toml, message, hint) in [
        ("modle = \"x\"", "llmp.toml: unknown key `modle` (line 1)", "did you mean `model`?"),
        (
            "[providers.x]\nmodle = \"m\"",
            "llmp.toml: unknown key `modle` in [providers.x] (line 2)",
            "did you mean `model`?",
        ),
        (
            "[providers.x]\nbase_url = \"m\"",
            "llmp.toml: unknown key `base_url` in [providers.x] (line 2)",
            "did you mean `base-url`?",
        ),
        (
            "providers.x.url = \"m\"",
            "llmp.toml: unknown key `url` in [providers.x] (line 1)",
            "did you mean `base-url`?",
        ),
        (
            "[provdiers.x]\ntype = \"openai\"",
            "llmp.toml: unknown key `provdiers` (line 1)",
            "did you mean `providers`?",
        ),
        (
            "[sidecar]\noffine = true",
            "llmp.toml: unknown key `offine` in [sidecar] (line 2)",
            "did you mean `offline`?",
        ),
        (
            "[network]\nproxies = \"x\"",
            "llmp.toml: unknown key `proxies` in [network] (line 2)",
            "did you mean `proxy`?",
        ),
        (
            "[github]\ntoken-evn = \"x\"",
            "llmp.toml: unknown key `token-evn` in [github] (line 2)",
            "did you mean `token-env`?",
        ),
        ("\n\ncache_dir = \"x\"", "llmp.toml: unknown key `cache_dir` (line 3)", "did you mean `cache-dir`?"),
        (
            "[sidecar]\nzzz = 1",
            "llmp.toml: unknown key `zzz` in [sidecar] (line 2)",
            "known here: path, version, url, integrity, offline, env, legacy, attach, attach-token-env, \
             attach-token-file, attach-dir",
        ),
        (
            "\"a\\u001b[31m\\nb\" = 1",
            "llmp.toml: unknown key `a\\u{1b}[31m\\u{a}b` (line 1)",
            "known here: provider, model, fallback, system, plugin, cache-dir, data-dir, activity-timeout, deadline, github, providers, \
             tool-deadline, reasoning-effort, max-output-tokens, tools, mcp, sidecar, network",
        ),
    ] {
        assert_eq!(failing(&[], toml), (message.to_owned(), hint.to_owned()), "{toml}");
    }
}

#[test]
fn a_mistyped_value_names_the_nearest_one() {
    for (toml, message, hint) in [
        (
            "[providers.x]\ntype = \"opnai\"",
            "llmp.toml: unknown value `opnai` of `type` in [providers.x] (line 2)",
            "did you mean `openai`?",
        ),
        (
            "[providers.x]\nwire-api = \"chat\"",
            "llmp.toml: unknown value `chat` of `wire-api` in [providers.x] (line 2)",
            "known here: completions, responses",
        ),
    ] {
        assert_eq!(failing(&[], toml), (message.to_owned(), hint.to_owned()), "{toml}");
    }
    let url = ("COPILOT_PROVIDER_BASE_URL", "http://127.0.0.1:1/v1");
    let (message, hint) = failing(&[url, ("COPILOT_PROVIDER_TYPE", "antropic")], "");
    assert_eq!(message, "unknown value `antropic` of COPILOT_PROVIDER_TYPE");
    assert_eq!(hint, "did you mean `anthropic`?");
    let (message, hint) = failing(&[url, ("COPILOT_PROVIDER_WIRE_API", "response")], "");
    assert_eq!(message, "unknown value `response` of COPILOT_PROVIDER_WIRE_API");
    assert_eq!(hint, "did you mean `responses`?");
}

#[test]
fn a_value_of_another_type_says_key_and_line() {
    for (toml, message) in [
        ("model = 5", "llmp.toml: `model` must be text in quotes, not 5 (line 1)"),
        ("\nmodel = true", "llmp.toml: `model` must be text in quotes, not true (line 2)"),
        ("provider = { type = \"x\" }", "llmp.toml: `provider` must be text in quotes, not a table (line 1)"),
        ("providers = \"x\"", "llmp.toml: `providers` must be a table, not text (line 1)"),
        ("[providers]\nx = []", "llmp.toml: `x` in [providers] must be a table, not a list (line 2)"),
        ("[sidecar]\noffline = \"yes\"", "llmp.toml: `offline` in [sidecar] must be true or false, not text (line 2)"),
        (
            "[providers.x]\nmax-prompt-tokens = -1",
            "llmp.toml: `max-prompt-tokens` in [providers.x] must be a whole number above 0, not -1 (line 2)",
        ),
        (
            "[providers.x]\nmax-output-tokens = 1.5",
            "llmp.toml: `max-output-tokens` in [providers.x] must be a whole number above 0, not 1.5 (line 2)",
        ),
        (
            "[providers.x]\nheaders = { a = 1 }",
            "llmp.toml: `a` in [providers.x.headers] must be text in quotes, not 1 (line 2)",
        ),
        ("deadline = \"90\"", "llmp.toml: `deadline` is not a duration between 1 ms and a day (line 1)"),
        (
            "activity-timeout = \"0s\"",
            "llmp.toml: `activity-timeout` is not a duration between 1 ms and a day (line 1)",
        ),
        ("deadline = 90", "llmp.toml: `deadline` must be text in quotes, not 90 (line 1)"),
        ("[providers.demo]", "llmp.toml: [providers.demo] is a name with a meaning of its own"),
    ] {
        assert_eq!(failing(&[], toml).0, message, "{toml}");
    }
}

#[test]
fn broken_toml_says_the_line_and_shows_one_line() {
    for (toml, line) in [("model = ", 1), ("a = 1\na = 2", 2), ("x = 1\n\n[", 3), ("model = \"\u{1b}[31m", 1)] {
        let (message, hint) = failing(&[], toml);
        assert!(message.starts_with("llmp.toml: ") && message.ends_with(&format!("(line {line})")), "{message}");
        assert!(!message.contains(char::is_control), "{message:?}");
        assert!(!hint.is_empty());
    }
}

/// A secret's value never stands in the file; the error names the form and does not repeat the value.
#[test]
fn a_secret_in_the_file_is_refused() {
    for (toml, key, hint) in [
        ("token = \"hunter2\"", "token", "token-env"),
        ("[github]\ntoken = \"hunter2\"", "token", "`token-env`"),
        ("[providers.x]\napi-key = \"hunter2\"", "api-key", "`key-env`"),
        ("[providers.x]\napi_key = \"hunter2\"", "api_key", "`key-file`"),
        ("[providers.x]\nkey = \"hunter2\"", "key", "`key-env`"),
        ("[providers.x]\nheaders = { Authorization = \"hunter2\" }", "headers.Authorization", "secret-headers"),
        ("[providers.x]\nheaders = { x-api-key = \"hunter2\" }", "headers.x-api-key", "secret-headers"),
        ("[providers.x]\nheaders = { other = \"Bearer gho_hunter2\" }", "headers.other", "secret-headers"),
        ("[providers.x]\nsecret-headers = { X-Key = \"hunter2\" }", "secret-headers.X-Key", "env:NAME"),
        ("[sidecar]\nenv = { X = \"github_pat_hunter2\" }", "sidecar.env.X", "COPILOT_GITHUB_TOKEN"),
        ("[network]\nproxy = \"http://me:hunter2@p.example:80\"", "network.proxy", "HTTPS_PROXY"),
    ] {
        let (message, found) = failing(&[], toml);
        assert!(message.contains(key) && found.contains(hint), "{toml}: {message} / {found}");
        assert!(!message.contains("hunter2") && !found.contains("hunter2"), "{message} / {found}");
    }
}
