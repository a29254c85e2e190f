//! What a tenant's policy refuses, and when.

use llm_provider_host::egress::Trust;
use llm_provider_host::{
    Allowance, Capability, Digest, HostError, Policy, PolicySources, Quota, Quotas, Resolving, Secret, SecretReference,
    SecretResolver, TurnError, TurnRequest, user_message,
};
use llmp_model_server::Script;
use llmp_tests::plugins::{NAUGHTY, naughty, naughty_with, policy};
use llmp_tests::rig::{Flavor, Rig, canary, egress, once};
use serde_json::json;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_not_granted_is_refused_before_it_is_compiled() {
    let host = naughty().await.host().clone();
    let (naughty, other) = (Digest::of(NAUGHTY), Digest::of(b"other"));
    let all = [Capability::Http, Capability::Tools, Capability::Sidecar];
    let refused = |policy: Policy| {
        let host = host.clone();
        async move { host.tenant(policy).load(NAUGHTY, "naughty.wasm").await.err().expect("refused").to_string() }
    };
    let says = refused(policy().plugin(other, all)).await;
    assert_eq!(says, format!("the policy does not grant the plugin naughty with the digest {naughty}"));
    let says = refused(policy().plugin(naughty, [Capability::Http, Capability::Tools])).await;
    assert_eq!(says, "the policy does not grant `sidecar` to the plugin naughty, which imports it");
    // Bytes that could not be compiled are refused by the same look, with the same words.
    let mut broken = NAUGHTY.to_vec();
    let middle = broken.len() / 2;
    broken[middle..middle + 64].fill(0xff);
    let refused = host.tenant(policy().plugin(other, all)).load(broken, "broken.wasm").await.err().expect("refused");
    assert!(matches!(refused, HostError::Denied(_) | HostError::NotAPlugin { .. }), "{refused:?}");
    host.tenant(policy().plugin(naughty, all)).load(NAUGHTY, "naughty.wasm").await.expect("granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_used_up_stop_the_next_turn_before_anything_is_sent() {
    let mut quotas = Quotas::default();
    quotas.tokens = Some(Allowance::new(5, Duration::from_secs(3_600)));
    let script = Script::text("an answer of some words");
    let rig = Rig::http_under(script, Flavor::Chat, json!({}), |policy, model| {
        let key = canary(vec![Flavor::Chat.key_destination(model)]);
        policy.secret("api-key", key).egress(egress(model)).quotas(quotas)
    })
    .await;
    rig.ask("the first is answered").await.answered();
    let sent = rig.model.seen();
    let refused = rig.instance.session().turn(once(vec![user_message("the second is not")])).await;
    let Err(TurnError::Host(HostError::Quota(exceeded))) = refused else { panic!("not refused") };
    assert_eq!((exceeded.quota, exceeded.most, rig.model.seen()), (Quota::Tokens, 5, sent));
    assert!(exceeded.retry_after.is_some_and(|after| after > Duration::from_secs(3_000)), "{exceeded}");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_are_not_named_are_refused() {
    let plugin = naughty().await;
    let mut policy = policy();
    policy.models = Some(vec!["gpt-*".into()]);
    let session = plugin.host().tenant(policy).instance(&plugin, "{}").expect("an instance").session();
    let ask = async |model: Option<&str>| {
        let mut request = TurnRequest::new(vec![user_message("hello")]);
        request.model = model.map(str::to_owned);
        session.turn(request).await.map(drop)
    };
    ask(Some("gpt-5")).await.expect("named");
    for model in [Some("o3"), None] {
        assert!(matches!(ask(model).await, Err(TurnError::Host(HostError::Denied(_)))), "{model:?}");
    }
}

/// Never answers.
struct Silent;

impl SecretResolver for Silent {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(std::future::pending::<Result<Secret, String>>())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_when_an_instance_starts() {
    let plugin = naughty_with(|limits| limits.secret_deadline = Duration::from_millis(50)).await;
    let place = TempDir::new().expect("a directory");
    let path = place.path().join("key");
    let reference = SecretReference { address: format!("file://{}", path.display()), destinations: Vec::new() };
    let tenant = plugin.host().tenant(policy().secret_at("key", reference.clone()));
    let start = async || tenant.instance(&plugin, "{}").expect("an instance").start().await;
    let Err(TurnError::Host(error @ HostError::Secret { .. })) = start().await else { panic!("there is no file") };
    assert!(error.to_string().starts_with("the secret `key` cannot be read: ") && error.hint().is_some(), "{error}");
    fs::write(&path, "a-key").expect("written");
    start().await.expect("the file is there now");
    let silent = plugin.host().tenant(policy().secret_at("key", reference).resolver(Silent));
    let Err(error) = silent.instance(&plugin, "{}").expect("an instance").start().await else {
        panic!("nobody answers")
    };
    assert_eq!(error.to_string(), "the secret `key` cannot be read: nobody gave it within 50ms");
}

/// What a file grants is what a turn gets: the honest half of the example, as a test.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_file_is_all_it_takes() {
    let place = TempDir::new().expect("a directory");
    let text = format!(
        "directory = '{}'\nmodels = ['*']\n[[plugins]]\ndigest = '{}'\ncapabilities = ['http', 'tools', 'sidecar']\n",
        place.path().display(),
        Digest::of(NAUGHTY)
    );
    let sources = PolicySources::new(Trust::system().expect("roots"));
    let host = naughty().await.host().clone();
    let tenant = host.tenant(Policy::from_toml(&text, "acme.toml", &sources).expect("a policy"));
    let plugin = tenant.load(NAUGHTY, "naughty.wasm").await.expect("granted");
    let session = tenant.instance(&plugin, "{}").expect("an instance").session();
    let mut request = TurnRequest::new(vec![user_message("hello")]);
    request.model = Some("any".into());
    session.turn(request).await.expect("granted").finish().await.expect("answered");
    assert_eq!(tenant.usage().held[&Quota::Turns], 0);
}
