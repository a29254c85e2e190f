//! Tools that the caller runs between turns.

use super::Subject;
use super::probe::{Probe, call, result};
use super::shape::well_formed;
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::{Block, FinishReason, Message, Role, ToolOwner, TurnRequest, user_message};
use llmp_model_server::{Reply, Role as Spoken, Script};
use llmp_tests::rig::Rig;

contract! {
    everywhere: [
        b01_returned_calls_are_answered_in_the_next_turn,
    ],
    http: [
        results_reach_a_session_that_did_not_ask,
        a_result_that_fits_no_call_is_refused,
    ]
}

fn calling() -> Reply {
    Reply::deltas(["let me look. "]).tool_call(call("call_1", "Oslo")).tool_call(call("call_2", "Rome"))
}

fn request(history: Vec<Message>) -> TurnRequest {
    TurnRequest { history, ..Probe::declared().request(ToolOwner::Return) }
}

/// What the model saw last, but for the system prompt.
fn view(rig: &Rig) -> Vec<(Spoken, String)> {
    let said = rig.last_request().messages().into_iter().filter(|message| message.role != Spoken::System);
    said.map(|message| (message.role, message.text)).collect()
}

/// The history after the model's calls, and with their results.
async fn called(rig: &Rig, session: &llm_provider_host::Session) -> Vec<Message> {
    let mut history = vec![user_message("what is it like?")];
    let seen = rig.turn(session, request(history.clone())).await;
    well_formed(&seen);
    assert_eq!((&seen.answered().reason, seen.answered().usage.model_calls), (&FinishReason::ToolCalls, 1));
    assert_eq!((seen.blocks().len(), seen.count("tool-answered")), (3, 0), "{:#?}", seen.blocks());
    history.push(Message { role: Role::Assistant, blocks: seen.blocks() });
    let blocks = vec![result("call_1", "snow"), result("call_2", "sun")];
    history.push(Message { role: Role::User, blocks });
    history
}

fn expected() -> Vec<(Spoken, String)> {
    let told = [
        (Spoken::User, "what is it like?"),
        (Spoken::Assistant, "let me look. "),
        (Spoken::Tool, "snow"),
        (Spoken::Tool, "sun"),
    ];
    told.map(|(role, text)| (role, text.to_owned())).to_vec()
}

async fn b01_returned_calls_are_answered_in_the_next_turn(subject: Subject) {
    let script = Script::new(Reply::text("Cold and warm.")).then(calling());
    let name = "b01_returned_calls_are_answered_in_the_next_turn";
    let Some(rig) = subject.rig(name, script).await else { return };
    let session = rig.instance.session();
    let history = called(&rig, &session).await;
    let seen = rig.turn(&session, request(history)).await;
    well_formed(&seen);
    assert_eq!((&seen.answered().reason, seen.text.as_str()), (&FinishReason::Stop, "Cold and warm."));
    assert_eq!(rig.model.seen(), 2, "nothing is asked twice");
    let view = view(&rig);
    let tools: Vec<_> = view.iter().filter(|(role, _)| *role == Spoken::Tool).collect();
    assert_eq!(tools, expected()[2..].iter().collect::<Vec<_>>());
    if let Subject::Http(_) = subject {
        assert_eq!(view, expected());
    }
}

async fn results_reach_a_session_that_did_not_ask(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("Cold and warm.")).then(calling())).await;
    let mut history = called(&rig, &rig.instance.session()).await;
    history.push(Message { role: Role::Assistant, blocks: user_message("Both.").blocks });
    history.push(user_message("thanks"));
    // What is said beside the results comes behind them.
    history[2].blocks.insert(0, user_message("and be brief").blocks.remove(0));
    rig.turn(&rig.instance.session(), request(history)).await.answered();
    let more = [(Spoken::User, "and be brief"), (Spoken::Assistant, "Both."), (Spoken::User, "thanks")];
    let expected: Vec<_> = expected().into_iter().chain(more.map(|(role, text)| (role, text.to_owned()))).collect();
    assert_eq!(view(&rig), expected);
}

async fn a_result_that_fits_no_call_is_refused(subject: Subject) {
    let rig = subject.http(Script::new(calling())).await;
    let session = rig.instance.session();
    let history = called(&rig, &session).await;
    let results = |blocks: Vec<Block>| {
        let mut broken = history.clone();
        broken[2] = Message { role: Role::User, blocks };
        broken
    };
    let cases = [
        results(vec![result("call_1", "snow"), result("call_1", "snow"), result("call_2", "sun")]),
        results(vec![result("call_1", "snow"), result("call_2", "sun"), result("call_3", "rain")]),
        vec![Message { role: Role::User, blocks: vec![result("call_9", "rain")] }],
    ];
    for broken in cases {
        let seen = rig.turn(&session, request(broken)).await;
        let told = seen.failure();
        assert_eq!((told.kind, told.request_sent), (ErrorKind::InvalidRequest, false), "{told:?}");
        assert!(told.message.contains("call_"), "the call is named: {}", told.message);
    }
    assert_eq!(rig.model.seen(), 1);
}
