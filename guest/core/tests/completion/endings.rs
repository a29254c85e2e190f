//! Turns that are given up: cancelled, closed, shut down, or silent for too long.

use crate::rig::{Rig, TIMEOUT, calling, header, saying, stream, tools, user};
use llm_provider_core::completion::Effect;
use llm_provider_guest::effects::TimerEffect;
use llm_provider_guest::errors::ErrorKind;
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::provider::{Input, TurnOptions};
use llm_provider_guest::types::{FinishReason, ToolOwner};
use serde_json::json;

/// A turn that was brought to a stage: asked, answering, refused, tools.
fn staged(stage: u8) -> (Rig, u64) {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    let id = rig.newest();
    match stage {
        0 => {}
        1 => {
            rig.accept(id);
            rig.events_of(id, &[json!({"text": 0}), json!({"more": [0, "so"]})]);
        }
        2 => {
            rig.head(id, 500, Vec::new());
            rig.chunk(id, b"{\"code\":");
        }
        _ => rig.answer(&calling(&["a"])),
    }
    (rig, turn)
}

/// What the endpoint and the tools may still say to a turn that is over, and that it changes nothing.
fn late(rig: &mut Rig, turn: u64) {
    let before = rig.effects.len();
    let id = rig.newest();
    rig.accept(id);
    rig.events_of(id, &saying("late"));
    rig.end(id);
    rig.broken(id, FailureKind::Broken, true);
    rig.tool_result(turn, "a", "late");
    rig.give(Input::CancelTurn(turn));
    rig.pass(10 * TIMEOUT);
    assert_eq!(rig.effects[before..], []);
}

#[test]
fn a_turn_can_be_given_up_in_every_stage() {
    let reach = [(true, false, false), (true, true, false), (true, false, false), (true, true, true)];
    for input in [Input::CancelTurn(1), Input::CloseSession(1), Input::Shutdown] {
        for (stage, reach) in (0..).zip(reach) {
            let (mut rig, turn) = staged(stage);
            rig.give(input.clone());
            assert_eq!(rig.failed(turn).error.kind, ErrorKind::Cancelled);
            assert_eq!(rig.reach(turn), reach, "{stage}");
            assert_eq!(rig.given_up().len(), usize::from(stage < 3), "{stage}: once, if anything is open");
            late(&mut rig, turn);
        }
    }
}

#[test]
fn what_ends_says_why() {
    let messages: Vec<String> = [Input::CancelTurn(1), Input::CloseSession(1), Input::Shutdown]
        .into_iter()
        .map(|input| {
            let (mut rig, turn) = staged(0);
            rig.give(input);
            rig.failed(turn).error.message
        })
        .collect();
    assert_eq!(messages, ["the turn was cancelled", "the session was closed", "the plugin is shutting down"]);
}

#[test]
fn only_the_session_that_closes_ends() {
    let mut rig = Rig::default();
    rig.give(Input::OpenSession(2));
    let first = rig.ask();
    let second = rig.ask_in(2, vec![user("hello")], TurnOptions::default());
    rig.give(Input::CloseSession(1));
    assert!(rig.monitor.ended(first) && !rig.monitor.ended(second));
    assert_eq!(rig.given_up(), [1]);
    let third = rig.ask();
    assert_eq!(rig.failed(third).error.kind, ErrorKind::InvalidRequest);
    rig.answer(&saying("still here"));
    assert_eq!(rig.text(second), "still here");
}

#[test]
fn nothing_begins_after_the_shutdown() {
    let mut rig = Rig::default();
    rig.ask();
    rig.give(Input::Shutdown);
    assert_eq!(rig.timer, None, "no timer is left behind");
    let turn = rig.ask();
    assert_eq!(rig.reach(turn), (false, false, false));
    assert_eq!(rig.sent.len(), 1);
}

#[test]
fn a_session_goes_on_after_a_turn_was_cancelled() {
    let (mut rig, turn) = staged(1);
    rig.give(Input::CancelTurn(turn));
    let turn = rig.ask();
    rig.answer(&saying("again"));
    assert_eq!(rig.text(turn), "again");
}

#[test]
fn silence_ends_a_turn() {
    for (stage, output) in [(0, false), (1, true)] {
        let (mut rig, turn) = staged(stage);
        let id = rig.newest();
        rig.pass(TIMEOUT - 1);
        assert!(!rig.monitor.ended(turn));
        rig.pass(1);
        let error = rig.failed(turn).error;
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert!(error.message.contains("60 s"), "{}", error.message);
        assert_eq!(rig.reach(turn), (true, output, false));
        assert_eq!(rig.given_up(), [id]);
        late(&mut rig, turn);
    }
}

#[test]
fn whatever_is_heard_moves_the_deadline_and_not_the_timer() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.pass(TIMEOUT - 1);
    rig.accept(id);
    for _ in 0..20 {
        rig.pass(TIMEOUT - 1);
        rig.chunk(id, b": still thinking\n\n");
    }
    assert!(!rig.monitor.ended(turn));
    let set = |effect: &&Effect| matches!(effect, Effect::Timer(TimerEffect::Set(..)));
    assert!(rig.effects.iter().filter(set).count() <= 22, "no timer effect for every chunk");
    rig.pass(TIMEOUT);
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Timeout);
}

#[test]
fn a_turn_may_be_told_how_long_to_wait() {
    let mut rig = Rig::default();
    rig.give(Input::OpenSession(2));
    let long = rig.ask_in(2, vec![user("hello")], TurnOptions::default());
    let short = rig.ask_with(TurnOptions { activity_timeout: Some(500), ..TurnOptions::default() });
    rig.pass(500);
    let message = rig.failed(short).error.message;
    assert!(message.contains("500 ms"), "{message}");
    assert!(!rig.monitor.ended(long));
    rig.pass(TIMEOUT);
    assert!(rig.monitor.ended(long));
    let endless = rig.ask_with(TurnOptions { activity_timeout: Some(u64::MAX), ..TurnOptions::default() });
    rig.pass(1_000 * TIMEOUT);
    assert!(!rig.monitor.ended(endless));
}

#[test]
fn an_answer_that_is_complete_counts_although_the_connection_hangs() {
    // With and without the end of its last event, and streamed or whole.
    let bytes = stream(&saying("hello"));
    let cut = [&bytes[..], &bytes[..bytes.len() - 2], &[&bytes[..], b"data: {\"usa"].concat()[..]].map(<[u8]>::to_vec);
    // The model has stopped: nobody waits long for the end of the stream. In the second, that is not known yet.
    for (body, wait) in cut.into_iter().zip([3_000, TIMEOUT, 3_000]) {
        let mut rig = Rig::default();
        let turn = rig.ask();
        let id = rig.newest();
        rig.accept(id);
        rig.chunk(id, &body);
        rig.pass(wait);
        assert_eq!((rig.text(turn).as_str(), rig.finished(turn).reason), ("hello", FinishReason::Stop));
        assert_eq!(rig.given_up(), [id]);
        late(&mut rig, turn);
    }
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.head(id, 200, vec![header("content-type", "application/json")]);
    rig.chunk(id, serde_json::to_string(&saying("hello")).unwrap().as_bytes());
    rig.pass(TIMEOUT);
    assert_eq!(rig.text(turn), "hello");
}

#[test]
fn calls_that_are_complete_run_although_the_connection_hangs() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    let id = rig.newest();
    rig.accept(id);
    rig.events_of(id, &calling(&["a"]));
    rig.pass(TIMEOUT);
    assert_eq!((rig.called(), rig.given_up()), (vec!["a"], vec![id]));
    rig.tool_result(turn, "a", "seen");
    rig.answer(&saying("done"));
    assert_eq!(rig.text(turn), "done");
}

#[test]
fn a_refusal_that_hangs_is_a_refusal() {
    let (mut rig, turn) = staged(2);
    rig.pass(TIMEOUT);
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.http_status), (ErrorKind::Internal, Some(500)));
    assert_eq!(rig.given_up(), [1]);
}
