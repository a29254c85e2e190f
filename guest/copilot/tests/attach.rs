//! A running CLI that the host attaches to: the handshake with a token, and a leave that ends nothing of others.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use llm_provider_copilot::{AnyMode, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::SidecarEffect;
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::provider::{Input, SidecarStart};
use llm_provider_guest::secrets::{Chunk, SecretEncoding};
use llm_provider_guest::sidecar::StopMode;
use llm_provider_guest::sidecar_types::Started;
use rig::{BYOK, Rig, assistant, setup, user};
use serde_json::json;

fn config() -> String {
    BYOK.replacen('{', r#"{"connection-token":{"secret":"key"},"#, 1)
}

/// A plugin with a turn that waits for the handshake.
fn attached(config: &str) -> (Rig, u64) {
    let mut rig = Rig::new(config);
    let turn = rig.ask(vec![user("one")]);
    let started = Started { version: "unknown".into(), working_directory: "/there".into(), shared: true };
    let id = rig.sidecar.unwrap();
    rig.give(Input::SidecarStarted(SidecarStart { id, started }));
    (rig, turn)
}

fn stops(rig: &Rig) -> Vec<StopMode> {
    let stop =
        |effect: &Effect| if let Effect::Sidecar(SidecarEffect::Stop(_, mode)) = effect { Some(*mode) } else { None };
    rig.effects.iter().filter_map(stop).collect()
}

#[test]
fn the_token_goes_by_name_into_the_handshake_and_nowhere_else() {
    let (mut rig, turn) = attached(&config());
    let by_name = |effect: &Effect| {
        match effect {
        Effect::Sidecar(SidecarEffect::Send(_, chunks)) => chunks.iter().any(
            |chunk| matches!(chunk, Chunk::Secret(secret) if secret.name == "key" && secret.encoding == SecretEncoding::JsonString),
        ),
        _ => false,
    }
    };
    assert!(rig.effects.iter().any(by_name));
    let connect = rig.answer("connect", json!({"ok": true, "protocolVersion": 3, "version": "1.0.102"}));
    assert_eq!(connect.params, json!({"token": "s3cr\"et"}));
    let create = rig.asked[0].clone();
    assert_eq!(create.params["workingDirectory"], "/there");
    let (name, id) = rig.open();
    rig.reply(&name, &id, "1");
    assert_eq!(rig.text(turn), "1");
}

#[test]
fn a_process_of_its_own_is_not_given_the_token() {
    let mut rig = Rig::new(&config());
    rig.ask(vec![user("one")]);
    rig.started();
    assert_eq!(rig.take("connect").params, json!({}));
}

#[test]
fn without_a_token_nothing_is_said_to_a_running_cli() {
    let (rig, turn) = attached(BYOK);
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::Authentication, Verdict::Surface));
    assert!(error.hint.unwrap().contains("connection-token"));
    assert!(rig.all_asked.is_empty() && stops(&rig) == [StopMode::Kill]);
}

#[test]
fn a_refused_token_is_one_typed_error_and_no_second_try() {
    for code in [-32001, -32002, -32003] {
        let (mut rig, turn) = attached(&config());
        rig.refuse("connect", code, "AUTHENTICATION_SOMETHING");
        let error = rig.failed(turn).error;
        assert_eq!((error.kind, error.verdict), (ErrorKind::Authentication, Verdict::Surface), "{code}");
        assert_eq!(error.provider_code, Some(code.to_string()));
        assert!(error.hint.is_some() && error.message.contains("AUTHENTICATION_SOMETHING") && !error.request_sent);
        rig.pass(600_000);
        assert_eq!((rig.starts, stops(&rig)), (1, vec![StopMode::Kill]), "{code}");
    }
    let (mut rig, turn) = attached(&config());
    rig.refuse("connect", -32601, "Unhandled method connect");
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Protocol, "a server without tokens is not fallen back to");
    assert!(!rig.methods().contains(&"ping"));
}

#[test]
fn its_own_sessions_are_let_go_and_the_server_is_left_running() {
    let (mut rig, _) = attached(&config());
    rig.answer("connect", json!({"ok": true, "protocolVersion": 3}));
    let (name, id) = rig.open();
    rig.reply(&name, &id, "1");
    rig.give(Input::OpenSession(2));
    let other =
        llm_provider_guest::provider::Turn { session: 2, id: 77, history: vec![user("x")], options: rig::options() };
    rig.give(Input::StartTurn(other));
    let (running, _) = rig.open();
    rig.give(Input::Shutdown);
    assert_eq!(rig.failed(77).error.kind, ErrorKind::Cancelled);
    assert!(stops(&rig).is_empty(), "first the farewells");
    let mut left = vec![];
    for _ in 0..2 {
        left.push(
            rig.answer("session.destroy", json!({"success": true})).params["sessionId"].as_str().unwrap().to_owned(),
        );
    }
    left.sort();
    let mut all = vec![name, running];
    all.sort();
    assert_eq!(left, all);
    assert_eq!(stops(&rig), [StopMode::Graceful]);
    assert!(!rig.methods().contains(&"runtime.shutdown"));
}

#[test]
fn a_server_that_does_not_answer_farewells_is_left_all_the_same() {
    let (mut rig, _) = attached(&config());
    rig.answer("connect", json!({"ok": true, "protocolVersion": 3}));
    let (name, id) = rig.open();
    rig.reply(&name, &id, "1");
    rig.give(Input::Shutdown);
    rig.pass(3_000);
    assert_eq!(stops(&rig), [StopMode::Graceful]);
}

#[test]
fn a_connection_that_ends_in_mid_turn_is_one_failure_and_the_next_turn_connects_anew() {
    let (mut rig, turn) = attached(&config());
    rig.answer("connect", json!({"ok": true, "protocolVersion": 3}));
    let (name, _) = rig.open();
    rig.event(&name, "assistant.message_delta", json!({"messageId": "m", "deltaContent": "half"}));
    let id = rig.sidecar.take().unwrap();
    let exit = llm_provider_guest::sidecar_types::Exit::default();
    rig.give(Input::SidecarExited(llm_provider_guest::provider::SidecarEnd { id, exit }));
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::Sidecar, Verdict::RetryInFreshSession));
    assert!(error.message.contains("closed the connection"), "{}", error.message);
    rig.ask(vec![user("one"), assistant("1"), user("two")]);
    assert_eq!(rig.starts, 2);
}

#[test]
fn a_token_that_is_not_granted_is_a_wrong_configuration() {
    let error = AnyMode::configure(setup(&config().replace(r#"en":{"secret":"key"}"#, r#"en":{"secret":"other"}"#)));
    assert!(error.unwrap_err().message.contains("`connection-token`"));
}
