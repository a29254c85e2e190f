//! The same inputs give the same effects: what a running instance was given is given again to fresh sandboxes.

use super::Subject;
use super::probe::{Probe, call};
use llm_provider_host::wit::provider::Input;
use llm_provider_host::wit::secrets::SecretInfo;
use llm_provider_host::{Effect, Event, Observer, ToolOwner};
use llmp_model_server::{ModelError, Reply, Script, ToolCall};
use llmp_tests::rig::{CANARY_KEY, Rig, once};
use serde_json::json;
use std::sync::{Arc, Mutex};

contract! {
    http: [
        a_recorded_conversation_gives_the_same_effects,
    ]
}

/// A call of a plugin: its time, its inputs, its effects.
type Call = (u64, Vec<Input>, Vec<Effect>);

/// All calls of an instance, in order.
#[derive(Clone, Default)]
pub(super) struct Recording(Arc<Mutex<Vec<Call>>>);

impl Observer for Recording {
    fn handled(&self, now: u64, inputs: &[Input], effects: &[Effect]) {
        self.0.lock().expect("no panic inside").push((now, inputs.to_vec(), effects.to_vec()));
    }
}

impl Recording {
    pub(super) fn calls(&self) -> Vec<Call> {
        self.0.lock().expect("no panic inside").clone()
    }
}

/// Tools, thinking, cut bytes, refusals, a cancel, a broken answer, a question about models.
async fn recorded(subject: Subject) -> (Rig, Vec<Call>) {
    let rig = subject.http(Script::new(Reply::text("fine"))).await;
    let recording = Recording::default();
    let instance = rig.instance.clone().observed(recording.clone());
    let session = instance.session();
    let broken = ToolCall::fragments("call_2", "get_weather", ["{\"city\": ", "oops"]);
    let replies = [
        Reply::new().reasoning(["h\u{fc}", "m"]).and_deltas(["let me ", "look"]).tool_call(call("call_1", "Oslo")),
        Reply::new().tool_call(call("call_1", "Rome")).tool_call(broken).split_bytes(3),
        Reply::deltas(["h\u{e9}llo ", "\u{1f600}"]).split_bytes(1),
        Reply::error(429, "slow down").retry_after(1),
        Reply::deltas(["half "]).fail_after(1, ModelError::new(500, "lost it")),
        Reply::deltas(["cut ", "off"]).close_after(1),
        Reply::deltas(["early ", "LATE"]).hang_after(1),
    ];
    replies.into_iter().for_each(|reply| rig.model.push(reply).expect("room"));
    rig.turn(&session, Probe::sunny().request(ToolOwner::Callback)).await.answered();
    for prompt in ["limited", "failing", "cut"] {
        rig.send(&session, prompt).await.failure();
    }
    let mut turn = session.send("cancelled", once(Vec::new())).await.expect("started");
    while !matches!(turn.next().await, Some(Ok(Event::TextDelta(_)))) {}
    turn.canceller().cancel();
    while turn.next().await.is_some() {}
    assert_eq!(rig.send(&session, "the last").await.text, "fine");
    instance.models().await.expect("models");
    drop(session);
    instance.close().await;
    let calls = recording.calls();
    (rig, calls)
}

/// The effects without the one thing that is made of the instance's seed: a request's idempotency key.
fn seedless(effects: &[Effect]) -> Vec<Effect> {
    let seedless = |effect: &Effect| {
        let mut effect = effect.clone();
        if let Effect::HttpSend(_, request) = &mut effect {
            request.headers.retain(|header| header.name != "idempotency-key");
        }
        effect
    };
    effects.iter().map(seedless).collect()
}

async fn a_recorded_conversation_gives_the_same_effects(subject: Subject) {
    let (rig, calls) = recorded(subject).await;
    let flavor = subject.flavor();
    let plugin = flavor.plugin().await;
    let config = flavor.config(&rig.model, &json!({})).to_string();
    let length = u32::try_from(CANARY_KEY.len()).expect("short");
    let secret = || SecretInfo { name: "api-key".into(), raw_length: length, json_length: length };
    let play = |seed| {
        let mut sandbox = plugin.sandbox(&config, vec![secret()], seed).expect("a sandbox");
        let effects = calls.iter().map(|(now, inputs, _)| sandbox.handle(*now, inputs).expect("no fault"));
        effects.collect::<Vec<_>>()
    };
    let (one, again, other) = (play(42), play(42), play(43));
    assert_eq!(one, again, "the same inputs, the same effects");
    for (at, (_, inputs, effects)) in calls.iter().enumerate() {
        assert_eq!(seedless(&one[at]), seedless(effects), "call {at}, of {inputs:?}");
        assert_eq!(seedless(&one[at]), seedless(&other[at]), "call {at}: the seed names requests and nothing else");
    }
    let finished = calls.iter().flat_map(|(_, _, effects)| effects);
    let finished = finished.filter(|effect| matches!(effect, Effect::Event(_, Event::Finished(_)))).count();
    let effects: usize = one.iter().map(Vec::len).sum();
    assert_eq!(finished, 2, "the conversation took place");
    println!("figure: {flavor:?}: {} recorded calls gave the same {effects} effects again", calls.len());
}
