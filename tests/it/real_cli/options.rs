//! What a turn may ask for: model, system prompt, tokens.

use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::{TurnRequest, user_message};
use llmp_model_server::{Reply, Script};
use llmp_tests::rig::{Rig, Wire, read};
use serde_json::json;

const SYSTEM: &str = "You are a pirate.\nSay \"arr\" \u{2693} and nothing else.";

fn request(prompt: &str) -> TurnRequest {
    TurnRequest::new(vec![user_message(prompt)])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_prompt_is_exactly_the_given_one() {
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let name = "the_system_prompt_is_exactly_the_given_one";
        let Some(rig) = Rig::real_with(name, Script::echo(), wire, json!({})).await else { return };
        let options = TurnRequest { system: Some(SYSTEM.into()), ..request("hi") };
        rig.turn(&rig.instance.session(), options).await.answered();
        assert_eq!(rig.last_request().system(), SYSTEM, "{wire:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_system_prompt_none_is_sent() {
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let name = "without_a_system_prompt_none_is_sent";
        let Some(rig) = Rig::real_with(name, Script::echo(), wire, json!({})).await else { return };
        rig.ask("hi").await.answered();
        let request = rig.last_request();
        assert_eq!(request.system(), "", "{wire:?}");
        assert!(!request.body.to_string().contains("Copilot"), "{wire:?}: {}", request.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_prompt_may_change_between_turns() {
    let Some(rig) = Rig::real("the_system_prompt_may_change_between_turns", Script::echo()).await else { return };
    let session = rig.instance.session();
    for (prompt, system) in [("q1", Some("first")), ("q2", Some("second")), ("q3", None), ("q4", Some("second"))] {
        let options = TurnRequest { system: system.map(str::to_owned), ..TurnRequest::new(Vec::new()) };
        let turn = session.send(prompt, options).await.expect("started");
        let seen = read(turn).await;
        assert_eq!(seen.text, prompt, "{:?}", seen.error);
        let expected = if prompt == "q1" { vec![] } else { vec!["Resumed"] };
        let notices: Vec<_> =
            seen.notices().iter().map(|kind| format!("{kind:?}").replace("NoticeKind::", "")).collect();
        assert_eq!(notices, expected);
        let request = rig.last_request();
        assert_eq!(request.system(), system.unwrap_or_default());
    }
    let dialogue: Vec<String> = rig.last_request().dialogue().into_iter().map(|(_, text)| text).collect();
    assert_eq!(dialogue, ["q1", "q1", "q2", "q2", "q3", "q3", "q4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_may_change_between_turns() {
    let Some(rig) = Rig::real("the_model_may_change_between_turns", Script::echo()).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "q1").await.answered();
    let options = TurnRequest { model: Some("other-model".into()), ..TurnRequest::new(Vec::new()) };
    let turn = session.send("q2", options).await.expect("started");
    let seen = read(turn).await;
    assert_eq!(seen.answered().model.as_deref(), Some("other-model"));
    assert!(seen.noticed(&NoticeKind::Resumed) && !seen.noticed(&NoticeKind::ReSeeded), "{:?}", seen.notices());
    let request = rig.last_request();
    assert_eq!(request.model(), "other-model");
    let dialogue: Vec<String> = request.dialogue().into_iter().map(|(_, text)| text).collect();
    assert_eq!(dialogue, ["q1", "q1", "q2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_output_tokens_reach_the_model() {
    let Some(rig) = Rig::real("the_most_output_tokens_reach_the_model", Script::echo()).await else { return };
    let session = rig.instance.session();
    let options = TurnRequest { max_output_tokens: Some(321), ..request("hi") };
    rig.turn(&session, options).await.answered();
    let body = rig.last_request().body;
    let asked = [&body["max_tokens"], &body["max_completion_tokens"]];
    assert!(asked.into_iter().any(|tokens| *tokens == json!(321)), "{body}");
    let none = TurnRequest { max_output_tokens: Some(0), ..request("hi") };
    assert_eq!(rig.turn(&session, none).await.failure().kind, ErrorKind::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_is_the_endpoints_to_refuse() {
    let script = Script::new(Reply::error(404, "The model `nope` does not exist"));
    let Some(rig) = Rig::real("an_unknown_model_is_the_endpoints_to_refuse", script).await else { return };
    let options = TurnRequest { model: Some("nope".into()), ..request("hi") };
    let seen = rig.turn(&rig.instance.session(), options).await;
    assert_eq!((seen.failure().kind, seen.failure().http_status), (ErrorKind::NotFound, Some(404)));
    assert_eq!(rig.last_request().model(), "nope");
}
