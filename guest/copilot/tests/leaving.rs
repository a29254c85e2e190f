//! Server sessions that nobody comes back to are deleted: the CLI keeps every prompt on disk (PROTOCOL section 3).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod rig;

use llm_provider_copilot::Effect;
use llm_provider_guest::effects::SidecarEffect;
use llm_provider_guest::errors::ErrorKind;
use llm_provider_guest::provider::{Input, SidecarStart, TurnOptions};
use llm_provider_guest::sidecar::StopMode;
use llm_provider_guest::sidecar_types::Started;
use llm_provider_guest::types::Message;
use rig::{BYOK, GITHUB, Rig, assistant, options, user};
use serde_json::json;

/// A conversation with an answer, and how it goes on.
fn answered() -> (Rig, String, Vec<Message>) {
    let mut rig = Rig::new(BYOK);
    rig.takes_deletes = true;
    rig.ask(vec![user("one")]);
    rig.connect();
    let (name, sent) = rig.open();
    rig.reply(&name, &sent, "1");
    (rig, name, vec![user("one"), assistant("1"), user("two")])
}

fn other() -> TurnOptions {
    TurnOptions { system: Some("other".into()), ..options() }
}

fn stops(rig: &Rig) -> Vec<StopMode> {
    let stop =
        |effect: &Effect| if let Effect::Sidecar(SidecarEffect::Stop(_, mode)) = effect { Some(*mode) } else { None };
    rig.effects.iter().filter_map(stop).collect()
}

#[test]
fn a_session_that_another_takes_the_place_of_is_unloaded_and_deleted() {
    let (mut rig, name, _) = answered();
    rig.ask(vec![user("ONE"), assistant("1"), user("two")]);
    assert_eq!(rig.answer("session.destroy", json!({"success": true})).params["sessionId"], name.as_str());
    rig.answer("session.create", json!({}));
    assert_eq!(rig.answer("session.delete", json!({"success": true})).params, json!({"sessionId": name}));
}

#[test]
fn a_session_that_goes_on_with_other_options_is_not_deleted() {
    let (mut rig, name, history) = answered();
    rig.ask_with(history, other());
    rig.answer("session.destroy", json!({"success": true}));
    assert_eq!(rig.answer("session.resume", json!({})).params["sessionId"], name.as_str());
    assert!(rig.deleted.is_empty());
}

#[test]
fn a_turn_that_ended_badly_leaves_nothing() {
    let (mut rig, name, history) = answered();
    let turn = rig.ask(history);
    rig.prompt_taken();
    rig.give(Input::CancelTurn(turn));
    rig.refuse("session.abort", -32603, "odd");
    rig.refuse("session.destroy", -32603, "odd");
    rig.refuse("session.delete", -32601, "Unhandled method session.delete");
    assert_eq!(rig.deleted, [name]);
    assert!(rig.asked.is_empty(), "a CLI that does not know the word is not asked twice: {:?}", rig.asked);
}

#[test]
fn a_closed_conversation_leaves_nothing() {
    let (mut rig, name, _) = answered();
    rig.give(Input::CloseSession(1));
    rig.answer("session.destroy", json!({"success": true}));
    rig.answer("session.delete", json!({"success": true}));
    assert_eq!(rig.deleted, [name]);
}

/// The next process deletes what the last one left; not before the turn that waits for it is on its way.
#[test]
fn what_a_crash_leaves_is_deleted_later() {
    for running in [false, true] {
        let (mut rig, name, history) = answered();
        if running {
            rig.ask(history.clone());
        }
        rig.exited(137, "");
        assert!(rig.deleted.is_empty());
        rig.ask(history);
        rig.connect();
        rig.answer("session.create", json!({}));
        rig.answer("session.delete", json!({"success": true}));
        assert_eq!(rig.deleted, [name]);
    }
}

#[test]
fn what_was_being_left_when_the_process_ended_is_deleted_later() {
    let (mut rig, name, _) = answered();
    rig.give(Input::CloseSession(1));
    rig.exited(137, "");
    rig.give(Input::OpenSession(1));
    rig.ask(vec![user("new")]);
    rig.connect();
    rig.answer("session.create", json!({}));
    assert_eq!(rig.take("session.delete").params["sessionId"], name.as_str());
}

#[test]
fn a_session_that_rests_is_kept_and_one_that_is_closed_meanwhile_is_not() {
    for closed in [false, true] {
        let (mut rig, name, history) = answered();
        rig.pass(901_000);
        rig.answer("runtime.shutdown", json!(null));
        rig.exited(0, "");
        if closed {
            rig.give_all(vec![Input::CloseSession(1), Input::OpenSession(1)]);
        }
        rig.ask(history);
        rig.connect();
        let deleted = if closed { vec![name] } else { Vec::new() };
        assert_eq!(rig.deleted, deleted);
    }
}

#[test]
fn a_turn_cancelled_before_its_session_was_there_leaves_none() {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("one")]);
    rig.started();
    rig.give(Input::CancelTurn(turn));
    rig.answer("connect", json!({"ok": true, "protocolVersion": 3, "version": "1.0.102"}));
    assert!(rig.asked.is_empty() && rig.deleted.is_empty(), "{:?}", rig.asked);
}

/// Another instance does not come to these names.
#[test]
fn an_instance_that_ends_takes_its_sessions_with_it() {
    for shared in [false, true] {
        let config = BYOK.replacen('{', r#"{"connection-token":{"secret":"key"},"#, 1);
        let mut rig = Rig::new(&config);
        rig.takes_deletes = true;
        rig.ask(vec![user("one")]);
        let started = Started { version: "1.0.102".into(), working_directory: "/w".into(), shared };
        let id = rig.sidecar.unwrap();
        rig.give(Input::SidecarStarted(SidecarStart { id, started }));
        rig.answer("connect", json!({"ok": true, "protocolVersion": 3}));
        let (name, sent) = rig.open();
        rig.reply(&name, &sent, "1");
        rig.give(Input::Shutdown);
        rig.answer("session.destroy", json!({"success": true}));
        assert!(stops(&rig).is_empty());
        rig.answer("session.delete", json!({"success": true}));
        assert_eq!((&rig.deleted[..], stops(&rig).is_empty()), (&[name][..], !shared));
        if !shared {
            rig.answer("runtime.shutdown", json!(null));
        }
        assert_eq!(stops(&rig), [StopMode::Graceful]);
    }
}

#[test]
fn farewells_have_one_deadline() {
    let (mut rig, ..) = answered();
    rig.give(Input::Shutdown);
    rig.pass(1_500);
    rig.answer("session.destroy", json!({"success": true}));
    rig.answer("session.delete", json!({"success": true}));
    rig.take("runtime.shutdown");
    assert!(stops(&rig).is_empty());
    rig.pass(500);
    assert_eq!(stops(&rig), [StopMode::Graceful]);
}

/// A question that gets no answer is over like any other, and the CLI may rest.
#[test]
fn a_cli_that_did_not_answer_a_question_is_put_to_rest() {
    let mut rig = Rig::new(GITHUB);
    rig.give(Input::ListModels(5));
    rig.connect();
    rig.answer("models.list", json!({"models": []}));
    rig.give(Input::ListModels(6));
    rig.take("models.list");
    rig.pass(30_000);
    rig.answer("ping", json!({}));
    rig.pass(900_000);
    rig.take("runtime.shutdown");
    let told = |effect: &Effect| matches!(effect, Effect::Catalog(_));
    assert_eq!(rig.effects.iter().filter(|effect| told(effect)).count(), 2);
}

/// Only what nobody can come back to is in question.
#[test]
fn nothing_is_deleted_while_all_is_well() {
    let (mut rig, name, mut history) = answered();
    for text in ["2", "3"] {
        rig.ask(history.clone());
        let sent = rig.prompt_taken();
        rig.reply(&name, &sent, text);
        history.extend([assistant(text), user("next")]);
    }
    let turn = rig.ask(history);
    rig.refuse("session.send", -32603, "Request session.send failed with message: it is Tuesday");
    assert_eq!((rig.failed(turn).error.kind, rig.deleted.len()), (ErrorKind::Internal, 0), "not before it is unloaded");
}
