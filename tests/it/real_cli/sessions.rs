//! Many turns and many sessions on one CLI.

use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::{TurnRequest, user_message};
use llmp_model_server::{Gate, Reply, Script};
use llmp_tests::rig::{PATIENCE, Rig, processes, read};

/// B04, B27: two conversations at once share neither session nor events.
#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_at_once_do_not_mix() {
    let gate = Gate::new();
    let held = gate.clone();
    let script = Script::with(move |request| {
        let prompt = request.last_prompt();
        Reply::deltas((0..50).map(|at| format!("{prompt}{at} "))).gate_after(10, &held)
    });
    let Some(rig) = Rig::real("two_sessions_at_once_do_not_mix", script).await else { return };
    let sessions = [rig.instance.session(), rig.instance.session()];
    for round in 0..2 {
        let [first, second] =
            [("a", &sessions[0]), ("b", &sessions[1])].map(|(name, session)| (format!("{name}{round}-"), session));
        let (left, right) = tokio::join!(rig.send(first.1, &first.0), async {
            // Both are in mid-stream before either may go on.
            tokio::join!(rig.send(second.1, &second.0), async {
                gate.reached(2).await;
                gate.open();
            })
            .0
        });
        for (name, seen) in [(first.0, left), (second.0, right)] {
            seen.answered();
            assert_eq!(seen.text, (0..50).map(|at| format!("{name}{at} ")).collect::<String>());
        }
    }
    assert_eq!(processes::sidecars(rig.home.path()).len(), 1, "they share a process");
    for request in rig.model.requests() {
        let dialogue = format!("{:?}", request.dialogue());
        assert!(dialogue.contains("a0-") != dialogue.contains("b0-"), "{dialogue}");
    }
}

/// S18, S20: one session on the server for a conversation, and only what is new is sent.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_turns_keep_one_process_and_every_word() {
    let Some(rig) = Rig::real("twenty_turns_keep_one_process_and_every_word", Script::echo()).await else { return };
    let session = rig.instance.session();
    let mut pid = None;
    let mut expected = Vec::new();
    for turn in 1..=20 {
        let prompt = format!("turn {turn}");
        let seen = rig.send(&session, &prompt).await;
        assert_eq!((seen.text.as_str(), seen.notices().len()), (prompt.as_str(), 0), "{:?}", seen.error);
        let now = processes::sidecar(rig.home.path()).pid;
        assert_eq!(*pid.get_or_insert(now), now);
        expected.push(prompt.clone());
        let said: Vec<String> = rig.last_request().dialogue().into_iter().map(|(_, text)| text).collect();
        assert_eq!(said, expected);
        expected.push(prompt);
    }
    assert_eq!(rig.model.seen(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_sessions_at_once() {
    let Some(rig) = Rig::real("twenty_sessions_at_once", Script::echo()).await else { return };
    let sessions: Vec<_> = (0..20).map(|_| rig.instance.session()).collect();
    let mut turns = Vec::new();
    for (at, session) in sessions.iter().enumerate() {
        turns.push((at, session.send(format!("session {at}"), TurnRequest::new(Vec::new())).await.expect("started")));
    }
    for (at, turn) in turns {
        let seen = tokio::time::timeout(PATIENCE, read(turn)).await.expect("in time");
        assert_eq!(seen.text, format!("session {at}"), "{:?}", seen.error);
    }
    assert_eq!((rig.model.seen(), processes::sidecars(rig.home.path()).len()), (20, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_takes_one_turn_at_a_time() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("fine")).then(Reply::deltas(["half ", "whole"]).gate_after(1, &gate));
    let Some(rig) = Rig::real("a_session_takes_one_turn_at_a_time", script).await else { return };
    let session = rig.instance.session();
    let first = session.send("first", TurnRequest::new(Vec::new())).await.expect("started");
    gate.reached(1).await;
    let second = rig.turn(&session, TurnRequest::new(vec![user_message("second")])).await;
    assert_eq!((second.failure().kind, second.failure().request_sent), (ErrorKind::InvalidRequest, false));
    gate.open();
    assert_eq!(read(first).await.text, "half whole");
    assert_eq!(rig.send(&session, "third").await.text, "fine");
    assert_eq!(rig.model.seen(), 2);
}
