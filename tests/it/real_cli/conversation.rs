//! Conversations that go well.

use llm_provider_host::{Event, FinishReason, TurnRequest, user_message};
use llmp_model_server::{Gate, Reply, Role, Script};
use llmp_tests::rig::{PATIENCE, Rig, Seen, conversation, read};
use std::time::Instant;

/// The roles and texts of a conversation as the model should get it, the person first.
fn said(texts: &[&str]) -> Vec<(Role, String)> {
    let line = |(at, text): (usize, &&str)| (if at % 2 == 0 { Role::User } else { Role::Assistant }, text.to_string());
    texts.iter().enumerate().map(line).collect()
}

/// S26: the turn ends when the session falls silent.
#[tokio::test(flavor = "multi_thread")]
async fn one_turn_tells_its_events_in_order() {
    let deltas = ["Hel", "lo, ", "wor", "ld."];
    let Some(rig) = Rig::real("one_turn_tells_its_events_in_order", Script::new(Reply::deltas(deltas))).await else {
        return;
    };
    let seen = rig.ask("greet me").await;
    assert_eq!(
        seen.kinds(),
        ["attempt-started", "block-started", "text-delta", "usage", "block-finished", "finished"],
        "{:#?}",
        seen.events
    );
    assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("Hello, world.", "Hello, world."));
    assert_eq!(seen.count("text-delta"), deltas.len());
    let finished = seen.answered();
    assert_eq!(finished.reason, FinishReason::Stop);
    assert_eq!(finished.model.as_deref(), Some("stub-model"));
    assert_eq!(finished.usage.model_calls, 1);
    assert!(seen.notices().is_empty(), "{:?}", seen.notices());
    let requests = rig.model.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].wants_stream());
    assert_eq!((requests[0].model(), requests[0].tools()), ("stub-model", Vec::new()));
    assert_eq!(requests[0].dialogue(), said(&["greet me"]));
}

/// S25: text is told as it comes.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_delta_comes_while_the_model_still_speaks() {
    let gate = Gate::new();
    let script = Script::new(Reply::deltas(["first ", "second"]).gate_after(1, &gate)).then(Reply::text("warm"));
    let Some(rig) = Rig::real("the_first_delta_comes_while_the_model_still_speaks", script).await else { return };
    rig.ask("warm up").await.answered();
    let begin = Instant::now();
    let session = rig.instance.session();
    let mut turn = session.turn(TurnRequest::new(vec![user_message("go")])).await.expect("started");
    let mut seen = Seen::default();
    while seen.text.is_empty() {
        let item = tokio::time::timeout(PATIENCE, turn.next()).await.expect("a delta before the gate opens");
        seen.note(item.expect("an item").expect("an event"));
    }
    let first = begin.elapsed();
    assert_eq!(seen.text, "first ");
    let request = rig.last_request();
    assert!(request.open(), "the model holds the rest");
    println!(
        "first delta {:.1} ms after the question, {:.1} ms after the request reached the model",
        first.as_secs_f64() * 1e3,
        request.at.elapsed().as_secs_f64() * 1e3
    );
    gate.open();
    let rest = read(turn).await;
    assert_eq!(rest.text, "second");
    assert_eq!(rest.block_text(), "first second");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_turns_that_the_session_remembers() {
    let script =
        Script::new(Reply::text("never")).then(Reply::text("a1")).then(Reply::text("a2")).then(Reply::text("a3"));
    let Some(rig) = Rig::real("three_turns_that_the_session_remembers", script).await else { return };
    let session = rig.instance.session();
    for (prompt, answer) in [("q1", "a1"), ("q2", "a2"), ("q3", "a3")] {
        let seen = rig.send(&session, prompt).await;
        seen.answered();
        assert_eq!((seen.text.as_str(), seen.notices().len()), (answer, 0));
    }
    let requests = rig.model.requests();
    let all = ["q1", "a1", "q2", "a2", "q3"];
    assert_eq!(requests.len(), 3);
    for (request, upto) in requests.iter().zip([1, 3, 5]) {
        assert_eq!(request.dialogue(), said(&all[..upto]));
    }
    assert_eq!(session.history(), conversation(&["q1", "a1", "q2", "a2", "q3", "a3"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_turns_of_a_caller_with_its_own_history() {
    let Some(rig) = Rig::real("three_turns_of_a_caller_with_its_own_history", Script::echo()).await else { return };
    let session = rig.instance.session();
    let all = ["one", "one", "two", "two", "three"];
    for upto in [1, 3, 5] {
        let seen = rig.turn(&session, TurnRequest::new(conversation(&all[..upto]))).await;
        seen.answered();
        assert_eq!((seen.text.as_str(), seen.notices().len()), (all[upto - 1], 0));
        assert_eq!(rig.last_request().dialogue(), said(&all[..upto]));
    }
    assert_eq!(rig.model.seen(), 3);
    assert!(session.history().is_empty(), "`turn` leaves the session's own history alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_prompt_of_a_turn_is_answered() {
    let Some(rig) = Rig::real("every_prompt_of_a_turn_is_answered", Script::echo()).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "first").await.answered();
    let mut history = session.history();
    history.extend([user_message("second"), user_message("third")]);
    let seen = rig.turn(&session, TurnRequest::new(history)).await;
    seen.answered();
    assert_eq!(rig.last_request().dialogue(), said(&["first", "first", "second\n\nthird"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_names_the_model_and_no_event_is_empty() {
    let Some(rig) = Rig::real("an_attempt_names_the_model_and_no_event_is_empty", Script::echo()).await else { return };
    let seen = rig.ask("what is in an event?").await;
    seen.answered();
    let told = |event: &&Event| !matches!(event, Event::Notice(_));
    let Some(Event::AttemptStarted(attempt)) = seen.events.iter().find(told) else { panic!("{:#?}", seen.events) };
    assert_eq!((attempt.number, attempt.model.as_deref()), (1, Some("stub-model")));
    let empty = |event: &&Event| matches!(event, Event::TextDelta(delta) if delta.text.is_empty());
    assert_eq!(seen.events.iter().filter(empty).count(), 0);
}
