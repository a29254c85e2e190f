//! How a conversation keeps its server session: tools that the caller runs, a CLI that rests, sessions that are gone.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod rig;

use llm_provider_copilot::Effect;
use llm_provider_guest::catalog::{Allowance, Model};
use llm_provider_guest::effects::{CatalogEffect, SidecarEffect};
use llm_provider_guest::errors::{Error, ErrorKind, Verdict};
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::provider::{Input, TurnOptions};
use llm_provider_guest::types::{
    Block, FinishReason, ImageBlock, ImageSource, Message, Role, TextBlock, Tool, ToolCall, ToolOwner, ToolResult,
};
use rig::{BYOK, GITHUB, Rig, assistant, options, user};
use serde_json::{Value, json};

fn returning() -> TurnOptions {
    let tool = |name: &str| Tool { name: name.into(), description: "d".into(), parameters: "{}".into() };
    TurnOptions { tools: vec![tool("t1"), tool("t2")], tool_owner: ToolOwner::Return, ..options() }
}

fn call(id: &str) -> Block {
    Block::ToolCall(ToolCall { id: id.into(), name: "t1".into(), arguments: "{\"a\":1}".into() })
}

fn result(id: &str, content: &str) -> Block {
    Block::ToolResult(ToolResult { call_id: id.into(), content: content.into(), is_error: false })
}

fn text(text: &str) -> Block {
    Block::Text(TextBlock { text: text.into() })
}

fn message(role: Role, blocks: Vec<Block>) -> Message {
    Message { role, blocks }
}

/// The model's message with calls, and the CLI handing over those of `known`.
fn calls(rig: &mut Rig, name: &str, sent: &str, ids: &[&str], known: &[&str]) {
    let requests: Vec<Value> =
        ids.iter().map(|id| json!({"toolCallId": id, "name": "t1", "arguments": {"a": 1}})).collect();
    rig.event(name, "user.message", json!({"messageId": sent, "content": "?"}));
    rig.event(name, "assistant.turn_start", json!({"turnId": "0"}));
    rig.event(name, "assistant.usage", json!({"inputTokens": 10, "outputTokens": 2, "finishReason": "tool_calls"}));
    let message = json!({"messageId": "mc", "originatingMessageId": sent, "content": "", "toolRequests": requests});
    rig.event(name, "assistant.message", message);
    for id in known {
        let data = json!({"requestId": format!("r-{id}"), "toolCallId": id, "toolName": "t1", "arguments": {"a": 1}});
        rig.event(name, "external_tool.requested", data);
    }
}

/// A conversation whose first turn ended with the calls `a` and `b`.
fn suspended() -> (Rig, String, String) {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask_with(vec![user("one")], returning());
    rig.connect();
    let (name, sent) = rig.open();
    calls(&mut rig, &name, &sent, &["a", "b"], &["a", "b"]);
    assert_eq!(rig.finished(turn).reason, FinishReason::ToolCalls);
    assert_eq!(rig.finished(turn).usage.model_calls, 1);
    assert!(rig.invoked.is_empty(), "B01: the host runs nothing");
    (rig, name, sent)
}

fn answered(extra: Vec<Block>) -> Vec<Message> {
    let mut blocks = vec![result("b", "B"), result("a", "A")];
    blocks.extend(extra);
    vec![user("one"), message(Role::Assistant, vec![call("a"), call("b")]), message(Role::User, blocks)]
}

fn given(rig: &mut Rig, success: bool) -> Vec<(String, String)> {
    let answer = |rig: &mut Rig| {
        let asked = rig.answer("session.tools.handlePendingToolCall", json!({"success": success}));
        let text = &asked.params["result"]["textResultForLlm"];
        (asked.params["requestId"].as_str().unwrap().to_owned(), text.as_str().unwrap().to_owned())
    };
    vec![answer(rig), answer(rig)]
}

/// Tools owned by the caller: the turn ends with the calls, the next brings the results, in the order of the model.
#[test]
fn b01_the_callers_tools_are_returned_and_their_results_go_to_the_waiting_turn() {
    let (mut rig, name, sent) = suspended();
    let turn = rig.ask_with(answered(Vec::new()), returning());
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued]);
    let given = given(&mut rig, true);
    assert_eq!(given, [("r-a".to_owned(), "A".to_owned()), ("r-b".to_owned(), "B".to_owned())]);
    rig.event(&name, "assistant.turn_start", json!({"turnId": "1"}));
    let answer = json!({"messageId": "m2", "originatingMessageId": sent, "content": "done", "toolRequests": []});
    rig.event(&name, "assistant.message", answer);
    rig.event(&name, "session.idle", json!({}));
    assert_eq!((rig.text(turn).as_str(), rig.finished(turn).reason), ("done", FinishReason::Stop));
    let mut history = answered(Vec::new());
    history.extend([assistant("done"), user("next")]);
    let turn = rig.ask_with(history, returning());
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued], "the session has exactly this history");
    assert_eq!(rig.take("session.send").params["prompt"], "next");
}

#[test]
fn what_the_user_says_beside_the_results_goes_behind_them() {
    let (mut rig, _, _) = suspended();
    rig.ask_with(answered(vec![text("and hurry")]), returning());
    let steer = rig.take("session.send").params;
    assert_eq!((&steer["prompt"], &steer["mode"]), (&json!("and hurry"), &json!("immediate")));
    assert_eq!(rig.asked.len(), 2, "then the results");
}

#[test]
fn results_that_are_not_those_awaited_take_a_new_session_with_everything() {
    let missing = vec![
        user("one"),
        message(Role::Assistant, vec![call("a"), call("b")]),
        message(Role::User, vec![result("a", "A")]),
    ];
    let other =
        |blocks| vec![user("one"), message(Role::Assistant, vec![call("a"), call("b")]), message(Role::User, blocks)];
    let before = other(vec![text("first"), result("a", "A"), result("b", "B")]);
    let unknown = other(vec![result("a", "A"), result("c", "C")]);
    for history in [missing, before, unknown] {
        let (mut rig, name, _) = suspended();
        let turn = rig.ask_with(history, returning());
        assert_eq!(rig.decisions(turn), [NoticeKind::ReSeeded]);
        assert_eq!(rig.answer("session.abort", json!({"success": true})).params["sessionId"], name.as_str());
        rig.answer("session.create", json!({}));
        rig.answer("session.destroy", json!({}));
        rig.answer("session.options.update", json!({}));
        let prompt = rig.take("session.send").params["prompt"].as_str().unwrap().to_owned();
        assert!(prompt.contains(r#""tool-call":{"id":"a","name":"t1","arguments":"{\"a\":1}"}"#), "{prompt}");
        assert!(prompt.contains(r#""tool-result":{"call_id":"a","content":"A","is_error":false}"#), "{prompt}");
        assert!(prompt.ends_with("go on from the end of the record, with the results of the tools you called."));
    }
}

/// The process dies while the caller runs the tools: the CLI keeps the pending call (PROTOCOL section 4).
#[test]
fn a_suspended_turn_survives_the_end_of_the_process() {
    let (mut rig, name, _) = suspended();
    rig.exited(137, "");
    let turn = rig.ask_with(answered(Vec::new()), returning());
    rig.connect();
    assert_eq!(rig.notices(turn), [NoticeKind::Restarted, NoticeKind::Resumed]);
    let resume = rig.answer("session.resume", json!({})).params;
    assert_eq!((&resume["sessionId"], &resume["continuePendingWork"]), (&json!(name), &json!(true)));
    assert_eq!(resume["tools"].as_array().unwrap().len(), 2, "everything is given again");
    rig.answer("session.options.update", json!({}));
    given(&mut rig, true);
    rig.event(&name, "assistant.message", json!({"messageId": "m2", "content": "done", "toolRequests": []}));
    rig.event(&name, "session.idle", json!({}));
    assert_eq!(rig.text(turn), "done");
}

/// S24: a session that the server forgot costs one more session, not the turn, and never a third.
#[test]
fn s24_a_forgotten_session_is_replaced_once() {
    let (mut rig, _, _) = suspended();
    let turn = rig.ask_with(answered(Vec::new()), returning());
    given(&mut rig, false);
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued, NoticeKind::ReSeeded]);
    rig.answer("session.abort", json!({"success": true}));
    rig.answer("session.create", json!({}));
    rig.answer("session.destroy", json!({}));
    rig.answer("session.options.update", json!({}));
    rig.refuse("session.send", -32603, "Request session.send failed with message: Session not found for sessionId: x");
    assert_eq!(rig.failed(turn).error.verdict, Verdict::RetryInFreshSession);
    assert!(rig.asked.iter().all(|asked| asked.method != "session.create"));
}

/// B13: words of somebody else, such as an MCP server's, end no session.
#[test]
fn s24_expiry_is_told_by_the_clis_answer_and_by_nothing_else() {
    let lost = "Request session.send failed with message: Session not found for sessionId: x";
    for (message, falls_back) in
        [(lost, true), ("an MCP server says: disconnected, not connected, session expired", false)]
    {
        let (mut rig, _) = first_turn();
        let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
        rig.refuse("session.send", -32603, message);
        assert_eq!(rig.decisions(turn).contains(&NoticeKind::ReSeeded), falls_back, "B13: {message}");
        assert_eq!(rig.monitor.ended(turn), !falls_back);
    }
}

fn first_turn() -> (Rig, String) {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("one")]);
    assert_eq!(rig.decisions(turn), [NoticeKind::Opened]);
    rig.connect();
    let (name, sent) = rig.open();
    rig.reply(&name, &sent, "1");
    (rig, name)
}

#[test]
fn a_call_that_the_cli_answers_itself_is_not_waited_for() {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask_with(vec![user("one")], returning());
    rig.connect();
    let (name, sent) = rig.open();
    calls(&mut rig, &name, &sent, &["a", "x"], &["a"]);
    assert!(!rig.monitor.ended(turn));
    rig.event(&name, "tool.execution_complete", json!({"toolCallId": "x", "success": false}));
    assert_eq!(rig.finished(turn).reason, FinishReason::ToolCalls);
    let history = vec![
        user("one"),
        message(Role::Assistant, vec![call("a"), call("x")]),
        message(Role::User, vec![result("a", "A"), result("x", "X")]),
    ];
    let turn = rig.ask_with(history, returning());
    assert_eq!(rig.decisions(turn), [NoticeKind::ReSeeded], "the server has another answer to x than the caller");
}

/// P15: the word that the session is idle is lost. The answer is whole and must not be.
#[test]
fn p15_a_lost_idle_does_not_cost_the_answer() {
    let (mut rig, name) = first_turn();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    let sent = rig.prompt_taken();
    rig.event(&name, "assistant.turn_start", json!({}));
    rig.event(&name, "assistant.message", json!({"messageId": "m", "originatingMessageId": sent, "content": "2"}));
    rig.event(&name, "assistant.turn_end", json!({}));
    rig.pass(9_000);
    assert!(!rig.monitor.ended(turn));
    rig.pass(2_000);
    assert_eq!((rig.text(turn).as_str(), rig.finished(turn).reason), ("2", FinishReason::Stop));
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two"), assistant("2"), user("three")]);
    assert_eq!(rig.decisions(turn), [NoticeKind::ReSeeded], "the session is in doubt");
}

#[test]
fn an_idle_cli_is_ended_and_its_sessions_are_taken_up_again() {
    let (mut rig, name) = first_turn();
    rig.pass(899_000);
    assert!(rig.asked.is_empty());
    rig.pass(2_000);
    rig.answer("runtime.shutdown", json!(null));
    assert!(rig.effects.iter().any(|effect| matches!(effect, Effect::Sidecar(SidecarEffect::Stop(..)))));
    rig.exited(0, "");
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    rig.connect();
    let resume = rig.answer("session.resume", json!({}));
    assert_eq!(resume.params["sessionId"], name.as_str());
    rig.answer("session.options.update", json!({}));
    assert_eq!(rig.take("session.send").params["prompt"], "two");
    assert_eq!(rig.notices(turn), [NoticeKind::Resumed]);
}

#[test]
fn a_turn_that_comes_while_the_cli_is_being_ended_waits_for_the_next_one() {
    for late in [false, true] {
        let (mut rig, _) = first_turn();
        rig.pass(901_000);
        let ask = |rig: &mut Rig| rig.ask(vec![user("one"), assistant("1"), user("two")]);
        let early = (!late).then(|| ask(&mut rig));
        rig.answer("runtime.shutdown", json!(null));
        let turn = early.unwrap_or_else(|| ask(&mut rig));
        rig.exited(0, "");
        assert_eq!(rig.starts, 2);
        rig.connect();
        rig.answer("session.resume", json!({}));
        rig.answer("session.options.update", json!({}));
        rig.take("session.send");
        assert!(!rig.monitor.ended(turn));
    }
}

#[test]
fn resting_does_not_count_as_crashing() {
    let (mut rig, _) = first_turn();
    let mut history = vec![user("one"), assistant("1")];
    for round in 0..8 {
        rig.pass(901_000);
        rig.answer("runtime.shutdown", json!(null));
        rig.exited(0, "");
        history.push(user(&format!("{round}")));
        let turn = rig.ask(history.clone());
        rig.connect();
        let name = rig.answer("session.resume", json!({})).params["sessionId"].as_str().unwrap().to_owned();
        rig.answer("session.options.update", json!({}));
        let sent = rig.prompt_taken();
        rig.reply(&name, &sent, "ok");
        assert_eq!(rig.text(turn), "ok");
        history.push(assistant("ok"));
    }
}

/// B25: images go out beside the text, and into a new session with the record that names them.
#[test]
fn b25_images_and_a_schema_reach_the_cli() {
    let image = |data: &[u8]| {
        let source = ImageSource::Data(data.to_vec());
        Block::Image(ImageBlock { media_type: "image/png".into(), source })
    };
    let mut rig = Rig::new(BYOK);
    let schema = TurnOptions { output_schema: Some(r#"{"type":"object"}"#.into()), ..options() };
    let first = message(Role::User, vec![text("look"), image(b"abc")]);
    rig.ask_with(vec![first.clone()], schema);
    rig.connect();
    rig.answer("session.create", json!({}));
    rig.answer("session.options.update", json!({}));
    let send = rig.take("session.send").params;
    let attached = json!([{"type": "blob", "displayName": "image-1.png", "mimeType": "image/png", "data": "YWJj"}]);
    assert_eq!((&send["prompt"], &send["attachments"]), (&json!("look"), &attached));
    let format = json!({"type": "json_schema", "jsonSchema": {"name": "answer", "schema": {"type": "object"}}});
    assert_eq!(send["responseFormat"], format);
    let mut rig = Rig::new(BYOK);
    rig.ask(vec![first, assistant("a cat"), message(Role::User, vec![image(b"xyz")])]);
    rig.connect();
    rig.answer("session.create", json!({}));
    rig.answer("session.options.update", json!({}));
    let send = rig.take("session.send").params;
    assert!(send["prompt"].as_str().unwrap().contains(r#""attachment":"image-1.png""#), "{send}");
    let names: Vec<_> = send["attachments"].as_array().unwrap().iter().map(|image| &image["displayName"]).collect();
    assert_eq!(names, [&json!("image-1.png"), &json!("image-2.png")]);
    let url = ImageBlock { media_type: "image/png".into(), source: ImageSource::Url("https://x/y".into()) };
    let turn = rig.ask(vec![message(Role::User, vec![Block::Image(url)])]);
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::InvalidRequest, "one turn at a time comes first");
}

fn models(rig: &Rig) -> Option<Result<Vec<Model>, Error>> {
    rig.effects.iter().rev().find_map(|effect| match effect {
        Effect::Catalog(CatalogEffect::Models(_, result)) => Some(result.clone()),
        _ => None,
    })
}

fn quota(rig: &Rig) -> Option<Result<Vec<Allowance>, Error>> {
    rig.effects.iter().rev().find_map(|effect| match effect {
        Effect::Catalog(CatalogEffect::Quota(_, result)) => Some(result.clone()),
        _ => None,
    })
}

/// The answers are those of the authenticated runs (PROTOCOL section 7).
#[test]
fn models_and_quota_are_told_where_the_account_allows() {
    let mut rig = Rig::new(GITHUB);
    rig.give_all(vec![Input::ListModels(5), Input::ReadQuota(6)]);
    assert_eq!(rig.starts, 1, "the sidecar is started for it");
    rig.connect();
    let listed = json!({"models": [{"id": "auto", "name": "Auto", "capabilities": {}}, {
        "id": "claude-sonnet-4.5", "name": "Claude", "billing": {"multiplier": 1.0}, "capabilities": {
            "supports": {"vision": true, "adaptive_thinking": "unsupported", "reasoningEffort": false},
            "limits": {"max_context_window_tokens": 128_000}}}]});
    rig.answer("models.list", listed);
    let told = models(&rig).unwrap().unwrap();
    assert_eq!((told[0].id.as_str(), told[1].images, told[1].context_window), ("auto", Some(true), Some(128_000)));
    rig.answer(
        "account.getQuota",
        json!({"quotaSnapshots": {"chat": {
        "isUnlimitedEntitlement": false, "entitlementRequests": 100, "usedRequests": 25, "remainingPercentage": 75,
        "usageAllowedWithExhaustedQuota": true, "overage": 2, "resetDate": "2026-04-30T00:00:00Z"}}}),
    );
    let told = quota(&rig).unwrap().unwrap();
    assert_eq!((told[0].name.as_str(), told[0].granted, told[0].remaining_percent), ("chat", Some(100.0), Some(75.0)));
    rig.give(Input::ReadQuota(7));
    rig.refuse("account.getQuota", -32603, "Not authenticated. Please authenticate first.");
    assert_eq!(quota(&rig).unwrap().unwrap_err().kind, ErrorKind::Authentication);
    rig.give(Input::ListModels(8));
    rig.exited(1, "boom");
    assert_eq!(models(&rig).unwrap().unwrap_err().kind, ErrorKind::Sidecar, "nothing waits for ever");
}

#[test]
fn an_endpoint_of_ones_own_has_neither_and_nothing_is_started_to_say_so() {
    let mut rig = Rig::new(BYOK);
    rig.give_all(vec![Input::ListModels(5), Input::ReadQuota(6)]);
    assert_eq!(models(&rig).unwrap().unwrap_err().kind, ErrorKind::Unsupported);
    assert_eq!(quota(&rig).unwrap().unwrap_err().kind, ErrorKind::Unsupported);
    assert_eq!(rig.starts, 0);
}
