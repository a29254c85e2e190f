//! Flags before variables before the file before defaults.

use super::*;

fn model(flags: &Flags, variables: &[(&str, &str)], toml: &str) -> (Option<String>, Option<String>, Vec<String>) {
    let (resolved, report) = on(flags, variables, toml).expect("resolves");
    let overridden = report.settings.iter().find(|setting| setting.name == "model");
    let (value, from) = resolved.model.map(|model| (model.value, model.from)).unzip();
    (value, from, overridden.map(|setting| setting.overridden.clone()).unwrap_or_default())
}

/// From the lowest layer up: each new one wins over all before it, and the report names all.
/// S10, R6: one loader reads flags, variables and file for every provider, once.
#[test]
fn each_layer_of_the_model_wins_over_the_one_below() {
    let token = ("GH_TOKEN", "gho_x");
    let none = Flags::default();
    assert_eq!(model(&none, &[token], ""), (None, None, vec![]));
    let file = "model = \"of-file\"";
    let of_file = "llmp.toml: model";
    assert_eq!(model(&none, &[token], file), (Some("of-file".into()), Some(of_file.into()), vec![]));
    let github = ("GITHUB_MODEL", "gh-of-github");
    assert_eq!(
        model(&none, &[token, github], file),
        (Some("of-github".into()), Some("GITHUB_MODEL".into()), vec![of_file.into()])
    );
    let llmp = ("LLMP_MODEL", "github/of-llmp");
    assert_eq!(
        model(&none, &[token, github, llmp], file),
        (Some("of-llmp".into()), Some("LLMP_MODEL".into()), vec!["GITHUB_MODEL".into(), of_file.into()])
    );
    let flags = Flags { model: Some("github".into()), ..Flags::default() };
    let (value, from, overridden) = model(&flags, &[token, github, llmp], file);
    assert_eq!((value.as_deref(), from.as_deref()), (Some("gpt-5"), Some("--model")));
    assert_eq!(overridden, ["LLMP_MODEL", "GITHUB_MODEL", of_file]);
    assert_eq!(model(&none, &[token, ("GITHUB_MODEL", ""), ("LLMP_MODEL", " ")], file).1.as_deref(), Some(of_file));
}

/// A prefix means something to GitHub only: an endpoint's `github/x` is its own name for a model.
#[test]
fn names_of_an_endpoints_models_are_untouched() {
    let byok = [("COPILOT_PROVIDER_BASE_URL", "http://127.0.0.1:1/v1"), ("COPILOT_MODEL", "github/x")];
    assert_eq!(model(&Flags::default(), &byok, "").0.as_deref(), Some("github/x"));
    let table = "[providers.l]\nbase-url = \"http://127.0.0.1:1/v1\"\nmodel = \"github\"";
    let (value, from, _) = model(&Flags::default(), &[("GITHUB_MODEL", "y")], table);
    assert_eq!((value.as_deref(), from.as_deref()), (Some("github"), Some("llmp.toml: providers.l.model")));
}

#[test]
fn an_endpoints_own_model_goes_before_the_general_one() {
    let table = "model = \"general\"\n[providers.l]\nbase-url = \"http://127.0.0.1:1/v1\"";
    assert_eq!(model(&Flags::default(), &[], table).0.as_deref(), Some("general"));
    let (value, _, overridden) = model(&Flags::default(), &[], &format!("{table}\nmodel = \"own\""));
    assert_eq!((value.as_deref(), overridden), (Some("own"), vec!["llmp.toml: model".to_owned()]));
    let llmp = [("LLMP_MODEL", "env")];
    assert_eq!(model(&Flags::default(), &llmp, &format!("{table}\nmodel = \"own\"")).0.as_deref(), Some("env"));
}

/// S01, R9: the names of GitHub's own tools are shared with them, in an order that is told.
#[test]
fn the_first_of_the_token_variables_wins_and_the_file_comes_after_them() {
    let all = [("COPILOT_GITHUB_TOKEN", "gho_a"), ("GH_TOKEN", "gho_b"), ("GITHUB_TOKEN", "gho_c"), ("MINE", "gho_d")];
    let toml = "[github]\ntoken-env = \"MINE\"";
    for (skip, winner) in [(0, "COPILOT_GITHUB_TOKEN"), (1, "GH_TOKEN"), (2, "GITHUB_TOKEN"), (3, "MINE")] {
        let (resolved, report) = fine(&all[skip..], toml);
        let crate::config::Provider::Github { token } = &resolved.provider.value else { panic!("not github") };
        assert_eq!(token.from, winner);
        let setting = report.settings.iter().find(|setting| setting.name == "GitHub token").unwrap();
        assert_eq!(setting.overridden.len(), 3 - skip);
    }
}

/// B23: variables are read by the program and given to the library as values.
#[test]
fn the_sidecars_variables_win_over_the_file() {
    let toml = "[sidecar]\npath = \"bin/copilot\"\nversion = \"1.0.50\"\nurl = \"https://h.example/a.tgz\"\noffline = true\n\
                env = { A = \"b\" }";
    let (resolved, _) = fine(&[], toml);
    let path = resolved.sidecar.path.expect("from the file");
    assert!(path.value.ends_with("work/bin/copilot") && path.from == "llmp.toml: sidecar.path", "{path:?}");
    assert!(resolved.sidecar.offline && resolved.sidecar.environment_path.is_none());
    assert_eq!(resolved.sidecar.variables, [("A".to_owned(), "b".to_owned())]);
    let variables = [
        ("COPILOT_CLI_PATH", "/opt/copilot"),
        ("GITHUB_COPILOT_CLI_VERSION", "1.0.77"),
        ("GITHUB_COPILOT_CLI_URL", "https://mirror.example/b.tgz"),
    ];
    let (resolved, report) = fine(&variables, toml);
    let source = resolved.sidecar;
    assert!(source.path.is_none(), "the variable wins, so the file's path must not be tried first");
    assert_eq!(source.environment_path.expect("set").value, std::path::Path::new("/opt/copilot"));
    assert_eq!(source.version.expect("set").value, "1.0.77");
    assert_eq!(source.url.expect("set").from, "GITHUB_COPILOT_CLI_URL");
    for name in ["sidecar.path", "sidecar.version", "sidecar.url"] {
        let setting = report.settings.iter().find(|setting| setting.name == name).unwrap();
        assert_eq!(setting.overridden, [format!("llmp.toml: {name}")]);
    }
}

/// S05, R7: empty means the default, `latest` is no version.
#[test]
fn s05_versions_of_the_sidecar() {
    assert!(fine(&[("GITHUB_COPILOT_CLI_VERSION", "")], "").0.sidecar.version.is_none());
    assert_eq!(
        fine(&[("GITHUB_COPILOT_CLI_VERSION", "")], "[sidecar]\nversion = \"1.0.9\"").0.sidecar.version.unwrap().value,
        "1.0.9"
    );
    for (variables, toml, name) in [
        (&[("GITHUB_COPILOT_CLI_VERSION", "latest")][..], "", "GITHUB_COPILOT_CLI_VERSION"),
        (&[], "[sidecar]\nversion = \"latest\"", "llmp.toml: sidecar.version"),
    ] {
        let (message, hint) = failing(variables, toml);
        assert!(message.starts_with(&format!("{name} is `latest`")) && hint.contains("name a version"), "{message}");
    }
    assert!(failing(&[("GITHUB_COPILOT_CLI_VERSION", "1.0")], "").0.contains("is no version: `1.0`"));
    assert!(failing(&[], "[sidecar]\nintegrity = \"sha1-x\"").0.contains("sidecar.integrity is no digest"));
}
