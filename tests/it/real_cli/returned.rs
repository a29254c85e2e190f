//! Tools that the caller runs between turns.

use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::wit::types::{Tool as Definition, ToolResult};
use llm_provider_host::{
    Block, FinishReason, Message, Role, Session, Tool, ToolFuture, ToolOwner, TurnRequest, user_message,
};
use llmp_model_server::{Reply, Role as Spoken, Script, ToolCall};
use llmp_tests::rig::processes::sidecar;
use llmp_tests::rig::{Rig, Seen, Wire};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A tool that must never be run by the host.
struct Declared;

impl Tool for Declared {
    fn definition(&self) -> Definition {
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}}).to_string();
        Definition { name: "get_weather".into(), description: "The weather of a city.".into(), parameters }
    }

    fn call(&self, _: Value) -> ToolFuture {
        Box::pin(async { panic!("B01: the host runs a tool that the caller owns") })
    }
}

fn request(history: Vec<Message>) -> TurnRequest {
    let tools: Vec<Arc<dyn Tool>> = vec![Arc::new(Declared)];
    TurnRequest { tools, tool_owner: ToolOwner::Return, ..TurnRequest::new(history) }
}

fn calling() -> Reply {
    let call = |id: &str, city: &str| ToolCall::new(id, "get_weather", &json!({ "city": city }));
    Reply::deltas(["let me look. "]).tool_call(call("call_1", "Oslo")).tool_call(call("call_2", "Rome"))
}

fn result(id: &str, content: &str) -> Block {
    Block::ToolResult(ToolResult { call_id: id.into(), content: content.into(), is_error: false })
}

/// Asks, and gives the history with the calls and their results.
async fn called(rig: &Rig, session: &Session, more: Option<&str>) -> (Seen, Vec<Message>) {
    let mut history = vec![user_message("what is it like?")];
    let seen = rig.turn(session, request(history.clone())).await;
    assert_eq!(seen.answered().reason, FinishReason::ToolCalls);
    assert_eq!(seen.answered().usage.model_calls, 1, "what it cost so far is told");
    let blocks: Vec<Block> = seen.blocks();
    assert_eq!(blocks.len(), 3, "{blocks:#?}");
    history.push(Message { role: Role::Assistant, blocks });
    let mut blocks = vec![result("call_1", "snow"), result("call_2", "sun")];
    blocks.extend(more.map(|text| user_message(text).blocks.remove(0)));
    history.push(Message { role: Role::User, blocks });
    (seen, history)
}

/// What the model saw last, but for the system prompt.
fn view(rig: &Rig) -> Vec<(Spoken, String)> {
    let said = rig.last_request().messages().into_iter().filter(|message| message.role != Spoken::System);
    said.map(|message| (message.role, message.text)).collect()
}

/// B01, S33: the calls are told, the caller runs them, and the next turn brings the results to the turn that waits.
#[tokio::test(flavor = "multi_thread")]
async fn b01_returned_calls_and_their_results() {
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let script = Script::new(Reply::text("Cold and warm.")).then(calling());
        let Some(rig) = Rig::real_with("b01_returned_calls_and_their_results", script, wire, json!({})).await else {
            return;
        };
        let session = rig.instance.session();
        let (_, mut history) = called(&rig, &session, None).await;
        let seen = rig.turn(&session, request(history.clone())).await;
        seen.answered();
        assert_eq!(seen.text, "Cold and warm.");
        assert!(matches!(seen.decisions()[..], [NoticeKind::Continued]), "{:?}", seen.decisions());
        let tools: Vec<_> = view(&rig).into_iter().filter(|(role, _)| *role == Spoken::Tool).collect();
        assert_eq!(tools, [(Spoken::Tool, "snow".to_owned()), (Spoken::Tool, "sun".to_owned())], "{wire:?}");
        assert_eq!(rig.model.seen(), 2, "{wire:?}: nothing is asked twice");
        history.push(Message { role: Role::Assistant, blocks: seen.blocks() });
        history.push(user_message("thanks"));
        let seen = rig.turn(&session, request(history)).await;
        assert!(matches!(seen.decisions()[..], [NoticeKind::Continued]), "{wire:?}: {:?}", seen.decisions());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_beside_the_results_comes_behind_them() {
    let script = Script::new(Reply::text("Fine.")).then(calling());
    let Some(rig) = Rig::real("what_is_said_beside_the_results_comes_behind_them", script).await else { return };
    let session = rig.instance.session();
    let (_, history) = called(&rig, &session, Some("and be brief")).await;
    let seen = rig.turn(&session, request(history)).await;
    seen.answered();
    let view = view(&rig);
    let roles: Vec<_> = view.iter().map(|(role, _)| *role).collect();
    assert_eq!(roles, [Spoken::User, Spoken::Assistant, Spoken::Tool, Spoken::Tool, Spoken::User], "{view:?}");
    assert!(view[4].1.ends_with("and be brief"), "{view:?}");
    assert_eq!(rig.model.seen(), 2);
}

/// P02, PROTOCOL section 4: the process is killed while the caller runs the tools, and the turn goes on all the same.
#[tokio::test(flavor = "multi_thread")]
async fn p02_a_killed_cli_does_not_cost_the_calls() {
    let script = Script::new(Reply::text("Cold and warm.")).then(calling());
    let Some(rig) = Rig::real("p02_a_killed_cli_does_not_cost_the_calls", script).await else { return };
    let session = rig.instance.session();
    let (_, history) = called(&rig, &session, None).await;
    let cli = sidecar(rig.home.path());
    cli.signal("KILL");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let seen = rig.turn(&session, request(history)).await;
    seen.answered();
    assert_eq!(seen.text, "Cold and warm.");
    assert!(seen.noticed(&NoticeKind::Restarted), "{:?}", seen.notices());
    let all: String = view(&rig).into_iter().map(|(_, text)| text).collect();
    for once in ["what is it like?", "snow", "sun"] {
        assert_eq!(all.matches(once).count(), 1, "`{once}` in {all}");
    }
    assert_eq!(rig.model.seen(), 2, "the calls were not asked for again");
}

/// The results go to another instance, which knows nothing: everything is carried over.
#[tokio::test(flavor = "multi_thread")]
async fn results_reach_a_session_that_did_not_ask() {
    let script = Script::new(Reply::text("Cold and warm.")).then(calling());
    let Some(rig) = Rig::real("results_reach_a_session_that_did_not_ask", script).await else { return };
    let (_, history) = called(&rig, &rig.instance.session(), None).await;
    let seen = rig.turn(&rig.instance.session(), request(history)).await;
    seen.answered();
    assert!(matches!(seen.decisions()[..], [NoticeKind::ReSeeded]), "{:?}", seen.decisions());
    let view = view(&rig);
    assert_eq!(view.len(), 1, "{view:?}");
    for once in ["what is it like?", "let me look.", "Oslo", "snow", "sun"] {
        assert_eq!(view[0].1.matches(once).count(), 1, "`{once}` in {}", view[0].1);
    }
}
