//! Turns that are cancelled, in every stage.

use super::Subject;
use super::probe::{Probe, call};
use super::shape::well_formed;
use llm_provider_host::egress::{Egress, EgressLimits, EgressPolicy, Origin, Trust};
use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::wit::provider::Input;
use llm_provider_host::{Effect, Limits, Observer, Policy, Session, ToolOwner, Turn};
use llmp_model_server::{Gate, ModelServer, Reply, Role, Script};
use llmp_tests::rig::{PATIENCE, Rig, Seen, canary, once, read};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

contract! {
    everywhere: [
        a_cancelled_turn_reaches_the_model_and_ends_once,
    ],
    http: [
        a_dropped_turn_reaches_the_model,
        a_dropped_session_cancels_its_turn,
        a_turn_is_cancelled_before_the_model_has_answered_at_all,
        a_cancelled_turn_drops_its_tool,
        turns_cancelled_at_any_moment_leave_a_sound_session,
        a_turn_nobody_reads_can_be_cancelled,
        nothing_of_a_cancelled_request_is_handed_over,
    ]
}

fn held(gate: &Gate) -> Reply {
    Reply::deltas(["early ", "LATE"]).gate_after(1, gate)
}

/// Asks and reads until the first text.
async fn begun(session: &Session) -> (Turn, Seen) {
    let mut turn = session.send("half an answer", once(Vec::new())).await.expect("started");
    let mut seen = Seen::default();
    while seen.text.is_empty() {
        seen.note(turn.next().await.expect("an item").expect("an event"));
    }
    (turn, seen)
}

/// The next turn of a session whose last was cancelled: the model sees neither it nor its answer.
async fn goes_on(rig: &Rig, session: &Session, gate: &Gate) {
    gate.open();
    let seen = rig.send(session, "and now").await;
    well_formed(&seen);
    assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("fine", "fine"), "{:?}", seen.error);
    assert_eq!(rig.last_request().dialogue(), [(Role::User, "and now".to_owned())]);
}

/// B10, S34: a cancel stops the turn on the server, and nothing late of it is heard.
async fn a_cancelled_turn_reaches_the_model_and_ends_once(subject: Subject) {
    let gate = Gate::new();
    let script = Script::new(Reply::text("fine")).then(held(&gate));
    let name = "a_cancelled_turn_reaches_the_model_and_ends_once";
    let Some(rig) = subject.rig(name, script).await else { return };
    let session = rig.instance.session();
    let (turn, mut seen) = begun(&session).await;
    turn.canceller().cancel();
    turn.canceller().cancel();
    let rest = read(turn).await;
    rest.events.iter().cloned().for_each(|event| seen.note(event));
    well_formed(&seen);
    let told = rest.failure();
    assert_eq!((told.kind, told.verdict), (ErrorKind::Cancelled, Verdict::Surface));
    assert!(rest.error.as_ref().is_some_and(llm_provider_host::TurnError::is_cancelled));
    assert!(told.output_seen && told.request_sent && !told.tools_ran, "{told:?}");
    assert_eq!(seen.text, "early ");
    rig.client_left().await;
    goes_on(&rig, &session, &gate).await;
}

async fn a_dropped_turn_reaches_the_model(subject: Subject) {
    let gate = Gate::new();
    let rig = subject.http(Script::new(Reply::text("fine")).then(held(&gate))).await;
    let session = rig.instance.session();
    drop(begun(&session).await);
    rig.client_left().await;
    goes_on(&rig, &session, &gate).await;
}

async fn a_dropped_session_cancels_its_turn(subject: Subject) {
    let gate = Gate::new();
    let rig = subject.http(Script::new(Reply::text("fine")).then(held(&gate))).await;
    let session = rig.instance.session();
    let (turn, _) = begun(&session).await;
    drop(session);
    assert_eq!(read(turn).await.failure().kind, ErrorKind::Cancelled);
    rig.client_left().await;
    goes_on(&rig, &rig.instance.session(), &gate).await;
}

async fn a_turn_is_cancelled_before_the_model_has_answered_at_all(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("fine")).then(Reply::text("LATE").hang())).await;
    let session = rig.instance.session();
    let turn = session.send("silence", once(Vec::new())).await.expect("started");
    rig.model.wait_for_requests(1, PATIENCE).await.expect("the request");
    turn.canceller().cancel();
    let seen = read(turn).await;
    let told = seen.failure();
    assert_eq!((told.kind, told.output_seen), (ErrorKind::Cancelled, false));
    assert!(told.request_sent, "it may have reached the model: {told:?}");
    rig.client_left().await;
    goes_on(&rig, &session, &Gate::new()).await;
}

async fn a_cancelled_turn_drops_its_tool(subject: Subject) {
    let (dropped, mut gone) = tokio::sync::mpsc::channel::<()>(1);
    let rig = subject.http(Script::new(Reply::text("fine")).then(Reply::new().tool_call(call("call_1", "Oslo")))).await;
    let held = Mutex::new(Some(dropped));
    let tool = Probe::new(move |_| {
        let held = held.lock().expect("sound").take();
        Box::pin(async move {
            let _held = held;
            std::future::pending().await
        })
    });
    let session = rig.instance.session();
    let turn = session.turn(tool.request(ToolOwner::Callback)).await.expect("started");
    let canceller = turn.canceller();
    let (seen, ()) = tokio::join!(read(turn), async {
        while tool.calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        canceller.cancel();
    });
    assert_eq!(seen.failure().kind, ErrorKind::Cancelled);
    assert!(seen.failure().tools_ran, "a retry would run it again: {:?}", seen.error);
    assert_eq!(tokio::time::timeout(PATIENCE, gone.recv()).await.expect("the handler is dropped"), None);
    assert_eq!(rig.model.seen(), 1, "the model is not asked again");
    goes_on(&rig, &session, &Gate::new()).await;
}

async fn turns_cancelled_at_any_moment_leave_a_sound_session(subject: Subject) {
    let script = Script::with(|request| match request.last_prompt().as_str() {
        "cancelled" => Reply::deltas(["LATE "; 200]).pace(Duration::from_millis(1)),
        _ => Reply::text("fine"),
    });
    let rig = subject.http(script).await;
    let session = rig.instance.session();
    for wait in [0, 1, 2, 4, 8, 16, 32, 64] {
        let turn = session.turn(once(vec![llm_provider_host::user_message("cancelled")])).await.expect("started");
        tokio::time::sleep(Duration::from_millis(wait)).await;
        turn.canceller().cancel();
        let seen = read(turn).await;
        well_formed(&seen);
        assert_eq!(seen.failure().kind, ErrorKind::Cancelled, "after {wait} ms");
        assert_eq!(seen.failure().output_seen, !seen.text.is_empty(), "after {wait} ms");
        let seen = rig.ask(&format!("after {wait}")).await;
        assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("fine", "fine"), "after {wait} ms");
    }
}

/// The reader's queue is full, so the instance waits for it: a cancel must get through all the same.
async fn a_turn_nobody_reads_can_be_cancelled(subject: Subject) {
    let flood = Reply::deltas(vec!["LATE "; 5_000]).hang_after(5_000);
    let rig = subject.http(Script::new(Reply::text("fine")).then(flood)).await;
    let session = rig.instance.session();
    let turn = session.send("flood", once(Vec::new())).await.expect("started");
    rig.model.wait_for_requests(1, PATIENCE).await.expect("the request");
    tokio::time::sleep(Duration::from_millis(500)).await;
    turn.canceller().cancel();
    rig.client_left().await;
    assert_eq!(read(turn).await.failure().kind, ErrorKind::Cancelled);
    goes_on(&rig, &session, &Gate::new()).await;
}

/// Inputs of requests that were handed over after the plugin had cancelled them.
#[derive(Clone, Default)]
struct Late(Arc<Mutex<(BTreeSet<u64>, usize)>>);

impl Observer for Late {
    fn handled(&self, _now: u64, inputs: &[Input], effects: &[Effect]) {
        let (cancelled, late) = &mut *self.0.lock().expect("sound");
        *late += inputs.iter().filter_map(request_of).filter(|id| cancelled.contains(id)).count();
        cancelled.extend(effects.iter().filter_map(|effect| match effect {
            Effect::HttpCancel(id) => Some(*id),
            _ => None,
        }));
    }
}

fn request_of(input: &Input) -> Option<u64> {
    match input {
        Input::HttpResponse(head) => Some(head.id),
        Input::HttpChunk(bytes) => Some(bytes.id),
        Input::HttpEnd(id) => Some(*id),
        Input::HttpFailed(fault) => Some(fault.id),
        _ => None,
    }
}

/// While nobody reads, the answer piles up in the mailbox, in small pieces; of these a call takes a few.
async fn nothing_of_a_cancelled_request_is_handed_over(subject: Subject) {
    let flood = Reply::deltas(vec!["LATE "; 5_000]).hang_after(5_000);
    let script = Script::new(Reply::text("fine")).then(flood);
    let grant = |mut policy: Policy, model: &ModelServer| {
        let origin = Origin::of(&model.base_url()).expect("an origin");
        let way = EgressPolicy::new(Trust::only([]).expect("no authorities")).allow_private(origin);
        let mut pieces = EgressLimits::default();
        pieces.chunk_bytes = 256;
        let mut limits = Limits::loosest();
        (limits.batch_inputs, limits.turn_events) = (4, 16);
        policy.limits = Some(limits);
        let key = canary(vec![subject.flavor().key_destination(model)]);
        policy.secret("api-key", key).egress(Egress::new(way, pieces).expect("a way out"))
    };
    let rig = Rig::http_under(script, subject.flavor(), json!({}), grant).await;
    let late = Late::default();
    let session = rig.instance.clone().observed(late.clone()).session();
    let turn = session.send("flood", once(Vec::new())).await.expect("started");
    rig.model.wait_for_requests(1, PATIENCE).await.expect("the request");
    tokio::time::sleep(Duration::from_millis(500)).await;
    turn.canceller().cancel();
    assert_eq!(read(turn).await.failure().kind, ErrorKind::Cancelled);
    goes_on(&rig, &session, &Gate::new()).await;
    let (cancelled, handed_over) = &*late.0.lock().expect("sound");
    assert_eq!((cancelled.len(), *handed_over), (1, 0));
}
