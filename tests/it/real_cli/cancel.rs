//! Turns that are cancelled, in every stage.

use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::{Session, Turn, TurnRequest};
use llmp_model_server::{Gate, Reply, Script};
use llmp_tests::rig::{PATIENCE, Rig, Seen, Wire, read};
use serde_json::json;
use std::time::{Duration, Instant};

/// A reply that says half and holds the rest.
fn held(gate: &Gate) -> Reply {
    Reply::deltas(["early ", "LATE"]).gate_after(1, gate)
}

/// Asks and reads until the first text.
async fn begun(session: &Session) -> (Turn, Seen) {
    let mut turn = session.send("half an answer", TurnRequest::new(Vec::new())).await.expect("started");
    let mut seen = Seen::default();
    while seen.text.is_empty() {
        seen.note(turn.next().await.expect("an item").expect("an event"));
    }
    (turn, seen)
}

/// The next turn of a session whose last was cancelled.
async fn goes_on(rig: &Rig, session: &Session, gate: &Gate) {
    gate.open();
    let seen = rig.send(session, "and now").await;
    seen.answered();
    assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("fine", "fine"));
    let dialogue = format!("{:?}", rig.last_request().dialogue());
    assert!(dialogue.contains("and now") && !dialogue.contains("LATE") && !dialogue.contains("early"), "{dialogue}");
}

/// B10, S34: a cancel stops the turn on the server, and nothing late of it is heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_turn_reaches_the_model_and_ends_once() {
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let gate = Gate::new();
        let script = Script::new(Reply::text("fine")).then(held(&gate));
        let name = "a_cancelled_turn_reaches_the_model_and_ends_once";
        let Some(rig) = Rig::real_with(name, script, wire, json!({})).await else { return };
        let session = rig.instance.session();
        let (turn, seen) = begun(&session).await;
        assert_eq!(seen.text, "early ");
        let begin = Instant::now();
        turn.canceller().cancel();
        turn.canceller().cancel();
        let rest = read(turn).await;
        let ended = begin.elapsed();
        assert_eq!(rest.failure().kind, ErrorKind::Cancelled);
        assert!(rest.error.as_ref().is_some_and(llm_provider_host::TurnError::is_cancelled));
        assert!(rest.failure().output_seen && rest.failure().request_sent && !rest.failure().tools_ran);
        rig.client_left().await;
        println!("{wire:?}: ended {ended:?} after the cancel, the model was told after {:?}", begin.elapsed());
        goes_on(&rig, &session, &gate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_turn_reaches_the_model() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("fine")).then(held(&gate));
    let Some(rig) = Rig::real("a_dropped_turn_reaches_the_model", script).await else { return };
    let session = rig.instance.session();
    drop(begun(&session).await);
    rig.client_left().await;
    goes_on(&rig, &session, &gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_session_cancels_its_turn() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("fine")).then(held(&gate));
    let Some(rig) = Rig::real("a_dropped_session_cancels_its_turn", script).await else { return };
    let session = rig.instance.session();
    let (turn, _) = begun(&session).await;
    drop(session);
    assert_eq!(read(turn).await.failure().kind, ErrorKind::Cancelled);
    rig.client_left().await;
    goes_on(&rig, &rig.instance.session(), &gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_cancelled_before_the_model_has_answered_at_all() {
    let script = Script::new(Reply::text("fine")).then(Reply::text("LATE").hang());
    let name = "a_turn_is_cancelled_before_the_model_has_answered_at_all";
    let Some(rig) = Rig::real(name, script).await else { return };
    let session = rig.instance.session();
    let turn = session.send("silence", TurnRequest::new(Vec::new())).await.expect("started");
    rig.model.wait_for_requests(1, PATIENCE).await.expect("the request");
    turn.canceller().cancel();
    let seen = read(turn).await;
    assert_eq!((seen.failure().kind, seen.failure().output_seen), (ErrorKind::Cancelled, false));
    rig.client_left().await;
    goes_on(&rig, &session, &Gate::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_cancelled_while_the_cli_starts() {
    let name = "a_turn_is_cancelled_while_the_cli_starts";
    let Some(rig) = Rig::real(name, Script::new(Reply::text("fine"))).await else { return };
    let session = rig.instance.session();
    let turn = session.send("too early", TurnRequest::new(Vec::new())).await.expect("started");
    turn.canceller().cancel();
    let seen = read(turn).await;
    assert_eq!((seen.failure().kind, seen.failure().request_sent), (ErrorKind::Cancelled, false));
    goes_on(&rig, &session, &Gate::new()).await;
    let all = format!("{:?}", rig.model.requests());
    assert!(!all.contains("too early"), "it was never sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_cancelled_at_any_moment_leave_a_sound_session() {
    let script = Script::with(|request| match request.last_prompt().as_str() {
        "cancelled" => Reply::deltas(["LATE "; 100]).pace(Duration::from_millis(2)),
        _ => Reply::text("fine"),
    });
    let Some(rig) = Rig::real("turns_cancelled_at_any_moment_leave_a_sound_session", script).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "warm up").await.answered();
    for wait in [0, 1, 2, 4, 8, 16, 32, 64, 128] {
        let turn = session.send("cancelled", TurnRequest::new(Vec::new())).await.expect("started");
        tokio::time::sleep(Duration::from_millis(wait)).await;
        turn.canceller().cancel();
        let seen = read(turn).await;
        assert_eq!(seen.failure().kind, ErrorKind::Cancelled, "after {wait} ms");
        println!("cancelled after {wait} ms: output seen {}", seen.failure().output_seen);
        let seen = rig.send(&session, &format!("after {wait}")).await;
        assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("fine", "fine"), "after {wait} ms");
    }
}

/// The reader's queue is full, so the instance waits for it: a cancel must get through all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_nobody_reads_can_be_cancelled() {
    let script = Script::with(|request| match request.last_prompt().as_str() {
        "flood" => Reply::deltas(vec!["LATE "; 5_000]).hang_after(5_000),
        _ => Reply::text("fine"),
    });
    let Some(rig) = Rig::real("a_turn_nobody_reads_can_be_cancelled", script).await else { return };
    let session = rig.instance.session();
    let turn = session.send("flood", TurnRequest::new(Vec::new())).await.expect("started");
    rig.model.wait_for_requests(1, PATIENCE).await.expect("the request");
    tokio::time::sleep(Duration::from_secs(1)).await;
    turn.canceller().cancel();
    rig.client_left().await;
    assert_eq!(read(turn).await.failure().kind, ErrorKind::Cancelled);
    assert_eq!(rig.send(&session, "and now").await.text, "fine");
}
