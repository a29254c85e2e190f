//! Questions about the service itself.

use super::{Subject, unasked};
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::{Policy, TurnError};
use llmp_model_server::{ModelServer, Script};
use llmp_tests::rig::{Flavor, Rig, canary, egress};
use serde_json::json;

contract! {
    http: [
        the_models_are_those_of_the_service,
        a_long_list_is_whole,
        a_refused_question_is_told,
        a_quota_is_not_told,
    ]
}

async fn the_models_are_those_of_the_service(subject: Subject) {
    let rig = subject.http(Script::echo().models(["alpha", "beta/2:free"])).await;
    let models = rig.instance.models().await.expect("models");
    let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["alpha", "beta/2:free"]);
    let named = matches!(subject.flavor(), Flavor::Anthropic | Flavor::Gemini);
    assert!(models.iter().all(|model| model.name.is_some() == named), "{models:?}");
    assert_eq!(rig.model.seen(), 0, "no model was asked");
    let none = subject.http(Script::echo().models(Vec::<String>::new())).await;
    assert!(none.instance.models().await.expect("models").is_empty());
    // In the middle of a conversation too.
    let session = rig.instance.session();
    rig.send(&session, "one").await.answered();
    assert_eq!(rig.instance.models().await.expect("models").len(), 2);
    rig.send(&session, "two").await.answered();
}

/// However many there are on a page.
async fn a_long_list_is_whole(subject: Subject) {
    let names: Vec<String> = (0..2_345).map(|number| format!("model-{number}")).collect();
    let rig = subject.http(Script::echo().models(names.clone())).await;
    let models = rig.instance.models().await.expect("models");
    assert_eq!(models.into_iter().map(|model| model.id).collect::<Vec<_>>(), names);
}

fn provider(error: &TurnError) -> (ErrorKind, Option<u16>) {
    let error = error.provider().unwrap_or_else(|| panic!("not the provider's: {error:?}"));
    (error.kind, error.http_status)
}

async fn a_refused_question_is_told(subject: Subject) {
    let there = unasked().await;
    let base = json!({ "base-url": format!("{}/nowhere", there.base_url()) });
    let grant = |policy: Policy, _: &ModelServer| {
        policy.secret("api-key", canary(vec![subject.flavor().key_destination(&there)])).egress(egress(&there))
    };
    let lost = Rig::http_under(Script::echo(), subject.flavor(), base, grant).await;
    let error = lost.instance.models().await.expect_err("there is no such path");
    assert_eq!(provider(&error), (ErrorKind::NotFound, Some(404)));
    assert!(error.to_string().contains("/nowhere/"), "the service's own words: {error}");
    let rig = subject.http(Script::echo()).await;
    let Rig { model, instance, home, .. } = rig;
    model.stop().await;
    let error = instance.models().await.expect_err("nobody is there");
    assert_eq!(provider(&error), (ErrorKind::Transport, None));
    drop(home);
}

async fn a_quota_is_not_told(subject: Subject) {
    let rig = subject.http(Script::echo()).await;
    let error = rig.instance.quota().await.expect_err("there is none");
    assert_eq!(provider(&error), (ErrorKind::Unsupported, None));
}
