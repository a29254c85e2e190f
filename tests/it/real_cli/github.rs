//! GitHub Copilot itself, against a fake of GitHub's services.

use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::{Capability, Destination, Instance, Policy, Secret, SecretGrant, TurnRequest, user_message};
use llmp_tests::github::FakeGithub;
use llmp_tests::real_cli;
use llmp_tests::rig::{plugin, read};
use tempfile::TempDir;

/// A token that looks like GitHub's, and must be shown to GitHub only.
const TOKEN: &str = "gho_canary0123456789abcdefghijklmnopqrst";

/// An instance with a GitHub token; `None` when the person asked to skip those.
async fn instance(test: &str, github: &FakeGithub, home: &TempDir) -> Option<Instance> {
    if real_cli::skipped(test) {
        return None;
    }
    real_cli::located().await;
    let to = Destination::SidecarVariable { sidecar: "copilot-cli".into(), variable: "COPILOT_SDK_AUTH_TOKEN".into() };
    let grant = SecretGrant { value: Secret::new(TOKEN), destinations: vec![to] };
    let mut sidecar = real_cli::sidecar();
    // The CLI keeps account data beside what it unpacks: each account has a place of its own.
    sidecar.unpack_dir = None;
    sidecar.network.api_url = Some(github.url());
    sidecar.variables = vec![("COPILOT_DEBUG_GITHUB_API_URL".into(), github.url())];
    let policy = Policy::new(home.path()).allow(Capability::Tools).allow(Capability::Http);
    let policy = policy.secret("github-token", grant).sidecar(sidecar);
    let plugin = plugin().await;
    let config = r#"{"auth":{"type":"github","token":"github-token"}}"#;
    Some(plugin.host().tenant(policy).instance(&plugin, config).expect("an instance"))
}

/// S08, S14: without an endpoint GitHub answers, and the token goes to it and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn s08_github_answers_and_tells_models_and_quota() {
    let (github, home) = (FakeGithub::start().await, TempDir::new().expect("a directory"));
    let name = "s08_github_answers_and_tells_models_and_quota";
    let Some(instance) = instance(name, &github, &home).await else { return };
    let models = instance.models().await.expect("a list");
    let gpt = models.iter().find(|model| model.id == "gpt-5").expect("the account's model");
    assert_eq!((gpt.context_window, gpt.images, gpt.tools), (Some(128_000), Some(true), Some(true)));
    let quota = instance.quota().await.expect("what is left");
    let premium = quota.iter().find(|allowance| allowance.name == "premium_interactions").expect("an allowance");
    assert_eq!((premium.granted, premium.used, premium.remaining_percent), (Some(300.0), Some(150.0), Some(50.0)));
    let request = TurnRequest { model: Some("gpt-5".into()), ..TurnRequest::new(vec![user_message("hello")]) };
    let seen = read(instance.session().turn(request).await.expect("started")).await;
    seen.answered();
    assert_eq!(seen.text, "from Copilot");
    let asked = github.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.as_str()).collect();
    assert!(paths.contains(&"/copilot_internal/user") && paths.contains(&"/chat/completions"), "{paths:?}");
    assert!(asked.iter().all(|asked| asked.authorization.as_deref().is_none_or(|value| value.contains(TOKEN))));
    println!("asked of GitHub: {paths:?}");
}

/// A service that cannot be reached is told, and nothing waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_validated_is_told_as_such() {
    let home = TempDir::new().expect("a directory");
    let github = FakeGithub::start().await;
    let url = github.url();
    let Some(instance) = instance("a_token_that_cannot_be_validated_is_told_as_such", &github, &home).await else {
        return;
    };
    drop(github);
    let failed = instance.quota().await.expect_err("nobody is there");
    let error = failed.provider().unwrap_or_else(|| panic!("{failed:?} from {url}"));
    assert!(matches!(error.kind, ErrorKind::Transport | ErrorKind::Authentication), "{error:?}");
    assert!(!format!("{error:?}").contains(TOKEN));
}
