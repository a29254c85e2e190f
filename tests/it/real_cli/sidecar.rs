//! The life of the CLI's process.

use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::{HostError, Session, Turn, TurnError, TurnRequest};
use llmp_model_server::{Gate, Reply, Script};
use llmp_tests::rig::{PATIENCE, Rig, Seen, processes, read};
use std::time::{Duration, Instant};

/// The target for a lost sidecar is 200 ms; a loaded machine gets ten times that.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Asks and reads until the first text.
async fn begun(session: &Session, prompt: &str) -> (Turn, Seen) {
    let mut turn = session.send(prompt, TurnRequest::new(Vec::new())).await.expect("started");
    let mut seen = Seen::default();
    while seen.text.is_empty() {
        seen.note(turn.next().await.expect("an item").expect("an event"));
    }
    (turn, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_cli_gives_one_terminal_error_at_once() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("back"))
        .then(Reply::text("yes1"))
        .then(Reply::deltas(["half ", "LATE"]).gate_after(1, &gate));
    let Some(rig) = Rig::real("a_killed_cli_gives_one_terminal_error_at_once", script).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "q1").await.answered();
    let (turn, seen) = begun(&session, "q2").await;
    assert_eq!(seen.text, "half ");
    let victim = processes::sidecar(rig.home.path());
    let begin = Instant::now();
    victim.signal("KILL");
    let killed = begin.elapsed();
    let rest = read(turn).await;
    let took = begin.elapsed();
    println!("kill -9 to the terminal item: {took:.1?} (of which sending the signal {killed:.1?})");
    let told = rest.failure();
    assert_eq!((told.kind, told.verdict), (ErrorKind::Sidecar, Verdict::RetryInFreshSession));
    assert!(told.request_sent && told.output_seen && !told.tools_ran);
    assert!(told.message.contains("signal 9"), "{}", told.message);
    assert!(took < AT_ONCE, "{took:?}");
    gate.open();
    let again = rig.send(&session, "q3").await;
    again.answered();
    assert_eq!(again.text, "back");
    assert!(again.noticed(&NoticeKind::Restarted) && again.noticed(&NoticeKind::ReSeeded), "{:?}", again.notices());
    let prompt = &rig.last_request().dialogue()[0].1;
    for text in ["q1", "yes1", "q3"] {
        assert_eq!(prompt.matches(text).count(), 1, "`{text}` once in {prompt}");
    }
    assert!(!prompt.contains("q2") && !prompt.contains("half"), "what failed does not count: {prompt}");
    assert_ne!(processes::sidecar(rig.home.path()).pid, victim.pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_cli_ends_the_turns_of_all_sessions() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("back"))
        .then(Reply::deltas(["one ", "rest"]).gate_after(1, &gate))
        .then(Reply::deltas(["two ", "rest"]).gate_after(1, &gate));
    let Some(rig) = Rig::real("a_killed_cli_ends_the_turns_of_all_sessions", script).await else { return };
    let sessions = [rig.instance.session(), rig.instance.session()];
    let first = begun(&sessions[0], "q1").await;
    let second = begun(&sessions[1], "q2").await;
    processes::sidecar(rig.home.path()).signal("KILL");
    for (turn, _) in [first, second] {
        assert_eq!(read(turn).await.failure().kind, ErrorKind::Sidecar);
    }
    let (left, right) = tokio::join!(rig.send(&sessions[0], "q3"), rig.send(&sessions[1], "q4"));
    assert_eq!((left.text.as_str(), right.text.as_str()), ("back", "back"), "{:?} {:?}", left.error, right.error);
    assert_eq!(processes::sidecars(rig.home.path()).len(), 1, "one new process for both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cli_that_dies_between_turns_is_started_again() {
    let Some(rig) = Rig::real("a_cli_that_dies_between_turns_is_started_again", Script::echo()).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "q1").await.answered();
    processes::sidecar(rig.home.path()).signal("KILL");
    processes::all_gone(rig.home.path(), PATIENCE).await.expect("it dies");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let seen = rig.send(&session, "q2").await;
    assert!(seen.text.ends_with("\n\nq2"), "{seen:?}");
    assert!(seen.noticed(&NoticeKind::Restarted), "{:?}", seen.notices());
    assert_eq!(rig.last_request().dialogue()[0].1.matches("q1").count(), 2, "question and answer are carried over");
}

/// S16, B07, P03: a CLI that does not answer a ping is ended and another one started.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_cli_is_found_out_and_replaced() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("back")).then(Reply::deltas(["half ", "LATE"]).gate_after(1, &gate));
    let more = serde_json::json!({ "activity-timeout-ms": 1_000, "ping-timeout-ms": 1_000 });
    let name = "a_stopped_cli_is_found_out_and_replaced";
    let Some(rig) = Rig::real_with(name, script, llmp_tests::rig::Wire::Completions, more).await else { return };
    let session = rig.instance.session();
    let (turn, _) = begun(&session, "q1").await;
    processes::sidecar(rig.home.path()).signal("STOP");
    assert_eq!(read(turn).await.failure().kind, ErrorKind::Timeout);
    processes::all_gone(rig.home.path(), PATIENCE).await.expect("the ping finds it out");
    gate.open();
    let seen = rig.send(&session, "q2").await;
    assert_eq!(seen.text, "back", "{:?}", seen.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_instance_leaves_no_process() {
    let Some(rig) = Rig::real("a_closed_instance_leaves_no_process", Script::echo()).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "q1").await.answered();
    assert_eq!(processes::sidecars(rig.home.path()).len(), 1);
    let begin = Instant::now();
    rig.instance.close().await;
    println!("closed within {:.1?}", begin.elapsed());
    assert_eq!(processes::sidecars(rig.home.path()).len(), 0, "when `close` returns it is over");
    let seen = rig.send(&session, "q2").await;
    assert!(seen.text.ends_with("\n\nq2"), "a later turn starts afresh: {seen:?}");
    assert_eq!(rig.last_request().dialogue()[0].1.matches("q1").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_closed_under_a_turn_ends_it() {
    let gate = Gate::new();
    let script = Script::new(Reply::deltas(["half ", "LATE"]).gate_after(1, &gate));
    let Some(rig) = Rig::real("an_instance_closed_under_a_turn_ends_it", script).await else { return };
    let session = rig.instance.session();
    let (turn, _) = begun(&session, "q1").await;
    rig.instance.close().await;
    let rest = read(turn).await;
    let closed = matches!(rest.error, Some(TurnError::Host(HostError::Closed)));
    assert!(closed || rest.failure().kind == ErrorKind::Cancelled, "{:?}", rest.error);
    assert_eq!(processes::sidecars(rig.home.path()).len(), 0);
    rig.client_left().await;
}

/// P09: nothing is left behind, however the owner goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_instance_leaves_no_process() {
    let Some(rig) = Rig::real("a_dropped_instance_leaves_no_process", Script::echo()).await else { return };
    rig.ask("q1").await.answered();
    let Rig { model, instance, home, .. } = rig;
    drop(instance);
    processes::all_gone(home.path(), PATIENCE).await.expect("it ends with its owner");
    drop(model);
}
