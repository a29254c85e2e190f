//! Prompts of all sizes.

use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::{HostError, Limits, TurnError, TurnRequest, user_message};
use llmp_model_server::{Reply, Role, Script};
use llmp_tests::rig::{Rig, Wire, processes};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_of_a_mebibyte_arrives_whole() {
    let name = "a_prompt_of_a_mebibyte_arrives_whole";
    let script = Script::new(Reply::text("read"));
    // Without this the CLI takes every model for one with a window of 128,000 tokens and refuses.
    let more = json!({ "auth": { "max-prompt-tokens": 4_000_000 } });
    let Some(rig) = Rig::real_with(name, script, Wire::Completions, more).await else { return };
    let line = "all work and no play makes \u{e9} dull \"boy\"\\\n";
    let prompt = line.repeat((1 << 20) / line.len() + 1);
    assert!(prompt.len() >= 1 << 20);
    let seen = rig.ask(&prompt).await;
    seen.answered();
    assert_eq!(seen.text, "read");
    let requests = rig.model.requests();
    let dialogue = requests.last().expect("a request").dialogue();
    assert_eq!(dialogue.len(), 1, "{:?}", dialogue.iter().map(|(role, text)| (role, text.len())).collect::<Vec<_>>());
    assert_eq!(dialogue[0].0, Role::User);
    assert!(dialogue[0].1 == prompt.trim(), "{} of {} bytes", dialogue[0].1.len(), prompt.trim().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_above_the_models_window_is_refused_in_words() {
    let name = "a_prompt_above_the_models_window_is_refused_in_words";
    let more = json!({ "auth": { "max-prompt-tokens": 10_000 } });
    let Some(rig) = Rig::real_with(name, Script::echo(), Wire::Completions, more).await else { return };
    let session = rig.instance.session();
    let seen = rig.send(&session, &"many words ".repeat(20_000)).await;
    let told = seen.failure();
    assert_eq!((told.kind, told.verdict), (ErrorKind::ContextLength, Verdict::Compact));
    assert!(told.message.contains("10000"), "it names the limit: {}", told.message);
    assert_eq!(rig.send(&session, "small").await.text, "small");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_above_the_limit_is_refused_before_anything_starts() {
    let name = "a_prompt_above_the_limit_is_refused_before_anything_starts";
    let Some(rig) = Rig::real(name, Script::echo()).await else { return };
    let limit = Limits::default().prompt_bytes;
    let session = rig.instance.session();
    let mut request = TurnRequest::new(vec![user_message("x".repeat(limit))]);
    request.system = Some("y".into());
    let refused = session.turn(request).await.err().expect("refused");
    let TurnError::Host(HostError::PromptTooLarge { configured, observed }) = &refused else { panic!("{refused:?}") };
    assert_eq!((*configured, *observed), (limit, limit + 1));
    assert!(!refused.to_string().contains('\n'));
    assert_eq!(rig.model.seen(), 0);
    assert!(processes::sidecars(rig.home.path()).is_empty(), "nothing was started");
    rig.send(&session, "small").await.answered();
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_prompts_arrive_as_they_are() {
    let Some(rig) = Rig::real("odd_prompts_arrive_as_they_are", Script::new(Reply::text("ok"))).await else { return };
    for prompt in ["/help", "!ls", "@file", "#1", "a\u{0}b", "\u{1f600}", "{\"json\": true}", "- ", "$(id)"] {
        rig.ask(prompt).await.answered();
        assert_eq!(rig.last_request().dialogue(), [(Role::User, prompt.trim().to_owned())]);
    }
}
