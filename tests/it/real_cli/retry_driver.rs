//! The host's retry loop around the real CLI.

use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::{Session, Turn, TurnRequest};
use llmp_model_server::{Gate, Reply, Script};
use llmp_tests::rig::{PATIENCE, Rig, Seen, processes, read};

/// Asks with the standard policy.
async fn asked(session: &Session, prompt: &str) -> Turn {
    session.send(prompt, TurnRequest::new(Vec::new())).await.expect("started")
}

/// The model has the question and has said nothing: the CLI dies, the host asks again, and one answer comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_cli_killed_before_any_output_is_asked_again() {
    let script = Script::new(Reply::text("yes2")).then(Reply::text("yes1")).then(Reply::new().hang());
    let Some(rig) = Rig::real("a_cli_killed_before_any_output_is_asked_again", script).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "q1").await.answered();
    let turn = asked(&session, "q2").await;
    rig.model.wait_until(PATIENCE, |requests| requests.len() == 2).await.expect("the model has the question");
    let victim = processes::sidecar(rig.home.path());
    victim.signal("KILL");
    let seen = read(turn).await;
    seen.answered();
    assert_eq!((seen.text.as_str(), seen.block_text().as_str(), rig.model.seen()), ("yes2", "yes2", 3));
    assert_eq!(seen.count("attempt-started"), seen.count("attempt-abandoned") + 1, "{:?}", seen.kinds());
    assert!(seen.noticed(&NoticeKind::Retry) && seen.noticed(&NoticeKind::Restarted), "{:?}", seen.notices());
    assert_ne!(processes::sidecar(rig.home.path()).pid, victim.pid);
    let prompt = format!("{:?}", rig.last_request().dialogue());
    for text in ["q1", "yes1", "q2"] {
        assert_eq!(prompt.matches(text).count(), 1, "`{text}` once in {prompt}");
    }
    // The session goes on from there.
    rig.send(&session, "q3").await.answered();
    let prompt = format!("{:?}", rig.last_request().dialogue());
    for text in ["q1", "yes1", "q2", "yes2", "q3"] {
        assert_eq!(prompt.matches(text).count(), 1, "`{text}` once in {prompt}");
    }
    let texts = session.history().len();
    assert_eq!(texts, 6, "three questions and their answers");
}

/// B15: half an answer was shown. Asking again would show it again.
#[tokio::test(flavor = "multi_thread")]
async fn b15_a_cli_killed_after_visible_output_is_not_asked_again() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("never")).then(Reply::deltas(["half ", "LATE"]).gate_after(1, &gate));
    let name = "b15_a_cli_killed_after_visible_output_is_not_asked_again";
    let Some(rig) = Rig::real(name, script).await else { return };
    let session = rig.instance.session();
    let mut turn = asked(&session, "q1").await;
    let mut begun = Seen::default();
    while begun.text.is_empty() {
        begun.note(turn.next().await.expect("an item").expect("an event"));
    }
    processes::sidecar(rig.home.path()).signal("KILL");
    let rest = read(turn).await;
    let told = rest.failure();
    assert_eq!((told.kind, &told.verdict), (ErrorKind::Sidecar, &Verdict::RetryInFreshSession));
    assert!(told.output_seen && !rest.noticed(&NoticeKind::Retry), "{told:?}");
    assert_eq!((rig.model.seen(), rest.count("text-delta"), session.history().len()), (1, 0, 0));
    gate.open();
}

/// The first of the accepted practice: what the CLI has repeated five times by itself is not repeated three times more.
#[tokio::test(flavor = "multi_thread")]
async fn the_clis_own_retries_are_not_stacked() {
    let limited = Reply::error(429, "slow down").retry_after(1);
    let Some(rig) = Rig::real("the_clis_own_retries_are_not_stacked", Script::new(limited)).await else { return };
    let session = rig.instance.session();
    let seen = read(asked(&session, "hurry").await).await;
    assert_eq!((seen.failure().kind, rig.model.seen()), (ErrorKind::RateLimit, 6), "{:?}", seen.failure());
    assert!(!seen.noticed(&NoticeKind::Retry), "{:?}", seen.notices());
}
