//! Conversations that one instance has at the same time.

use super::Subject;
use super::shape::well_formed;
use llmp_model_server::{Gate, Reply, Script};
use llmp_tests::rig::{PATIENCE, Seen, once, read};
use std::time::Duration;
use tokio::task::JoinSet;

contract! {
    http: [
        conversations_at_once_are_not_mixed,
        a_conversation_that_hangs_holds_up_nobody,
        a_session_has_one_turn_at_a_time,
    ]
}

async fn conversations_at_once_are_not_mixed(subject: Subject) {
    const SESSIONS: usize = 16;
    let reply = |text: &str| Reply::text_by_chars(text, 3).pace(Duration::from_millis(2));
    let rig = subject.http(Script::with(move |request| reply(&request.last_prompt()))).await;
    let mut running = JoinSet::new();
    for number in 0..SESSIONS {
        let session = rig.instance.session();
        running.spawn(async move {
            for round in 0..3 {
                let prompt = format!("conversation {number}, question {round}, and some words to stream");
                let seen = read(session.send(prompt.as_str(), once(Vec::new())).await.expect("started")).await;
                well_formed(&seen);
                assert_eq!((seen.text.as_str(), seen.block_text().as_str()), (prompt.as_str(), prompt.as_str()));
            }
            session.history().len()
        });
    }
    let lengths = running.join_all().await;
    assert_eq!(lengths, [6; SESSIONS]);
    let other = |text: &String| text.split_once(',').map(|(begin, _)| begin.to_owned());
    for request in rig.model.requests() {
        let dialogue = request.dialogue();
        let first = other(&dialogue[0].1);
        assert!(dialogue.iter().all(|(_, text)| other(text) == first), "{dialogue:?}");
    }
}

async fn a_conversation_that_hangs_holds_up_nobody(subject: Subject) {
    let gate = Gate::new();
    let rig = subject.http(Script::echo().then(Reply::deltas(["early ", "late"]).gate_after(1, &gate))).await;
    let session = rig.instance.session();
    let mut held = session.send("slowly", once(Vec::new())).await.expect("started");
    let mut seen = Seen::default();
    while seen.text.is_empty() {
        seen.note(held.next().await.expect("an item").expect("an event"));
    }
    let other = tokio::time::timeout(PATIENCE, rig.ask("meanwhile")).await.expect("it does not wait");
    assert_eq!(other.text, "meanwhile");
    gate.open();
    let rest = read(held).await;
    rest.answered();
    assert_eq!(rest.text, "late");
}

/// A second question before the answer fails, and does not harm the first.
async fn a_session_has_one_turn_at_a_time(subject: Subject) {
    let gate = Gate::new();
    let rig = subject.http(Script::echo().then(Reply::deltas(["early ", "late"]).gate_after(1, &gate))).await;
    let session = rig.instance.session();
    let first = session.send("one", once(Vec::new())).await.expect("started");
    rig.model.wait_for_requests(1, PATIENCE).await.expect("the request");
    let second = read(session.send("two", once(Vec::new())).await.expect("started")).await;
    assert!(!second.failure().request_sent, "{:?}", second.error);
    assert_eq!(rig.model.seen(), 1);
    gate.open();
    let seen = read(first).await;
    assert_eq!(seen.text, "early late", "{:?}", seen.error);
}
