//! Calls of tools that are told apart by more than their ids, that run in the CLI itself, or that a sub-agent makes; and
//! answers of the model that come in several messages.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod rig;

use llm_provider_guest::effects::PermissionEffect;
use llm_provider_guest::errors::ErrorKind;
use llm_provider_guest::events::{Event, NoticeKind};
use llm_provider_guest::provider::{PermissionDecision, TurnOptions};
use llm_provider_guest::types::{Block, FinishReason, Message, Role, Tool, ToolCall, ToolOwner, ToolResult};
use rig::{BYOK, Rig, options, user};
use serde_json::{Value, json};

fn with(owner: ToolOwner) -> TurnOptions {
    let tool = Tool { name: "t".into(), description: "d".into(), parameters: "{}".into() };
    TurnOptions { tools: vec![tool], tool_owner: owner, ..options() }
}

/// A turn whose prompt was taken: with the session's name and the prompt's.
fn running(asked: TurnOptions) -> (Rig, u64, String, String) {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask_with(vec![user("one")], asked);
    rig.connect();
    let (name, sent) = rig.open();
    (rig, turn, name, sent)
}

/// A message of the model with calls of `t`, or a part of one.
fn says(rig: &mut Rig, name: &str, id: &str, calls: &[&str], more: &Value) {
    let call = |id: &&str| json!({"toolCallId": id, "name": "t", "arguments": {"of": id}});
    let requests: Vec<Value> = calls.iter().map(call).collect();
    let mut message = json!({"messageId": id, "content": "", "toolRequests": requests});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rig.event(name, "assistant.message", message);
}

fn wants(rig: &mut Rig, name: &str, request: &str, call: &str) {
    let data = json!({"requestId": request, "toolCallId": call, "toolName": "t", "arguments": {"by": request}});
    rig.event(name, "external_tool.requested", data);
}

/// The same of a sub-agent.
fn of_agent(rig: &mut Rig, name: &str, kind: &str, data: &Value) {
    let event = rig::event(name, kind, data);
    rig.frame(&event.replace("\"ephemeral\":true", "\"agentId\":\"sub\""));
}

fn called(blocks: &[Block]) -> Vec<&str> {
    blocks.iter().filter_map(|block| if let Block::ToolCall(call) = block { Some(&*call.id) } else { None }).collect()
}

fn invoked(rig: &Rig) -> Vec<&str> {
    rig.invoked.iter().map(|(_, call)| call.id.as_str()).collect()
}

#[test]
fn a_call_whose_id_was_used_before_is_run_under_another_name() {
    let (mut rig, turn, name, _) = running(with(ToolOwner::Callback));
    for (round, request) in ["r1", "r2", "r3"].iter().enumerate() {
        rig.event(&name, "assistant.turn_start", json!({}));
        let delta = json!({"toolCallId": "c", "toolName": "t", "inputDelta": "{\"of\":"});
        rig.event(&name, "assistant.tool_call_delta", delta);
        says(&mut rig, &name, &format!("m{round}"), &["c"], &json!({}));
        wants(&mut rig, &name, request, "c");
        wants(&mut rig, &name, request, "c");
        assert_eq!(rig.invoked.len(), round + 1, "each once");
        let (_, call) = rig.invoked[round].clone();
        rig.tool_result(turn, &call.id, request, false);
        let answer = rig.answer("session.tools.handlePendingToolCall", json!({"success": true})).params;
        assert_eq!((&answer["requestId"], &answer["result"]["textResultForLlm"]), (&json!(request), &json!(request)));
        rig.event(&name, "assistant.turn_end", json!({}));
    }
    says(&mut rig, &name, "m", &[], &json!({"content": "done"}));
    rig.event(&name, "session.idle", json!({}));
    assert_eq!(called(&rig.blocks(turn)), ["c", "c-2", "c-3"]);
    assert_eq!(invoked(&rig), ["c", "c-2", "c-3"]);
    assert_eq!(rig.text(turn), "done");
    // The caller keeps what it was told, and the session has it.
    let blocks = rig.blocks(turn);
    let mut history = vec![user("one")];
    for (block, result) in blocks.iter().take(3).zip(["r1", "r2", "r3"]) {
        let Block::ToolCall(call) = block else { panic!("{block:?}") };
        let result = ToolResult { call_id: call.id.clone(), content: result.into(), is_error: false };
        history.push(Message { role: Role::Assistant, blocks: vec![block.clone()] });
        history.push(Message { role: Role::User, blocks: vec![Block::ToolResult(result)] });
    }
    history.extend([Message { role: Role::Assistant, blocks: blocks[3..].to_vec() }, user("two")]);
    let next = rig.ask_with(history, with(ToolOwner::Callback));
    assert_eq!(rig.decisions(next), [NoticeKind::Continued]);
}

#[test]
fn two_calls_of_one_id_in_one_message_are_two() {
    for message_first in [true, false] {
        let (mut rig, turn, name, _) = running(with(ToolOwner::Callback));
        if message_first {
            says(&mut rig, &name, "m", &["c", "c"], &json!({}));
        }
        wants(&mut rig, &name, "r1", "c");
        wants(&mut rig, &name, "r2", "c");
        says(&mut rig, &name, "m", &["c", "c"], &json!({}));
        wants(&mut rig, &name, "r1", "c");
        assert_eq!((invoked(&rig), called(&rig.blocks(turn))), (vec!["c", "c-2"], vec!["c", "c-2"]));
    }
}

#[test]
fn a_call_returned_to_the_caller_has_a_name_that_its_history_lacks() {
    let (mut rig, turn, name, _) = running(with(ToolOwner::Return));
    says(&mut rig, &name, "m1", &["c"], &json!({}));
    wants(&mut rig, &name, "r1", "c");
    let mut history = vec![user("one"), Message { role: Role::Assistant, blocks: rig.blocks(turn) }];
    let result = |id: &str| ToolResult { call_id: id.into(), content: "seen".into(), is_error: false };
    history.push(Message { role: Role::User, blocks: vec![Block::ToolResult(result("c"))] });
    let turn = rig.ask_with(history.clone(), with(ToolOwner::Return));
    assert_eq!(rig.answer("session.tools.handlePendingToolCall", json!({})).params["requestId"], "r1");
    says(&mut rig, &name, "m2", &["c"], &json!({}));
    wants(&mut rig, &name, "r2", "c");
    let blocks = rig.blocks(turn);
    assert_eq!((called(&blocks), rig.finished(turn).reason), (vec!["c-2"], FinishReason::ToolCalls));
    history.push(Message { role: Role::Assistant, blocks });
    history.push(Message { role: Role::User, blocks: vec![Block::ToolResult(result("c-2"))] });
    let turn = rig.ask_with(history, with(ToolOwner::Return));
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued]);
    assert_eq!(rig.take("session.tools.handlePendingToolCall").params["requestId"], "r2");
}

#[test]
fn a_tool_of_the_clis_own_is_not_silence_and_ran() {
    let (mut rig, turn, name, _) = running(TurnOptions { provider_tools: vec!["bash".into()], ..options() });
    rig.event(&name, "assistant.turn_start", json!({}));
    rig.event(&name, "tool.execution_start", json!({"toolCallId": "c", "toolName": "bash", "arguments": {}}));
    rig.pass(1_000_000);
    assert!(!rig.monitor.ended(turn), "a command may take its time");
    rig.event(&name, "tool.execution_complete", json!({"toolCallId": "c", "success": true}));
    rig.pass(119_000);
    assert!(!rig.monitor.ended(turn));
    rig.pass(1_001);
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.tools_ran), (ErrorKind::Timeout, true));
    assert!(rig.notices(turn).is_empty(), "these events are known");
}

#[test]
fn a_tool_whose_end_was_not_told_ends_with_its_step() {
    let (mut rig, turn, name, _) = running(TurnOptions { provider_tools: vec!["bash".into()], ..options() });
    rig.event(&name, "tool.execution_start", json!({"toolCallId": "c", "toolName": "bash"}));
    rig.event(&name, "assistant.turn_end", json!({}));
    rig.pass(120_001);
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Timeout);
}

#[test]
fn a_tool_of_the_callers_has_not_run_before_it_was_asked_for() {
    let (mut rig, turn, name, _) = running(with(ToolOwner::Callback));
    rig.event(&name, "tool.execution_start", json!({"toolCallId": "c", "toolName": "t"}));
    rig.pass(120_001);
    assert!(!rig.failed(turn).error.tools_ran);
}

#[test]
fn what_a_sub_agent_asks_for_is_answered_and_what_it_costs_is_told() {
    let (mut rig, turn, name, sent) = running(with(ToolOwner::Callback));
    of_agent(&mut rig, &name, "assistant.turn_start", &json!({}));
    of_agent(&mut rig, &name, "assistant.message_delta", &json!({"messageId": "s", "deltaContent": "no"}));
    of_agent(&mut rig, &name, "assistant.message", &json!({"messageId": "s", "content": "no", "toolRequests": []}));
    let usage = json!({"inputTokens": 100, "outputTokens": 7, "finishReason": "length"});
    of_agent(&mut rig, &name, "assistant.usage", &usage);
    let wanted = json!({"requestId": "p", "permissionRequest": {"kind": "shell", "fullCommandText": "ls"}});
    of_agent(&mut rig, &name, "permission.requested", &wanted);
    rig.decide(turn, "p", PermissionDecision::Allow);
    let answer = rig.answer("session.permissions.handlePendingPermissionRequest", json!({"success": true}));
    assert_eq!(answer.params["requestId"], "p");
    let call = json!({"requestId": "r", "toolCallId": "c", "toolName": "t", "arguments": {"a": 1}});
    of_agent(&mut rig, &name, "external_tool.requested", &call);
    of_agent(&mut rig, &name, "external_tool.requested", &call);
    assert_eq!(rig.invoked, [(turn, ToolCall { id: "r".into(), name: "t".into(), arguments: "{\"a\":1}".into() })]);
    rig.pass(1_000_000);
    rig.tool_result(turn, "r", "seen", false);
    let answer = rig.take("session.tools.handlePendingToolCall").params;
    assert_eq!((&answer["requestId"], &answer["result"]["textResultForLlm"]), (&json!("r"), &json!("seen")));
    of_agent(&mut rig, &name, "session.idle", &json!({}));
    rig.reply(&name, &sent, "mine");
    assert_eq!((rig.text(turn).as_str(), rig.blocks(turn).len()), ("mine", 1));
    let finished = rig.finished(turn);
    assert_eq!((finished.usage.model_calls, finished.usage.input_tokens), (2, 110));
    assert_eq!(finished.reason, FinishReason::Stop, "the sub-agent's limit is not the answer's");
    assert!(!rig.events(turn).iter().any(|event| matches!(event, Event::ToolAnswered(_))), "of no call in the answer");
}

#[test]
fn a_sub_agent_is_not_given_tools_that_the_caller_runs_between_turns() {
    let (mut rig, turn, name, sent) = running(with(ToolOwner::Return));
    let call = json!({"requestId": "r", "toolCallId": "c", "toolName": "t", "arguments": {}});
    of_agent(&mut rig, &name, "external_tool.requested", &call);
    let answer = rig.answer("session.tools.handlePendingToolCall", json!({"success": true})).params;
    assert_eq!((&answer["requestId"], &answer["result"]["resultType"]), (&json!("r"), &json!("failure")));
    assert!(rig.invoked.is_empty() && !rig.monitor.ended(turn));
    rig.reply(&name, &sent, "mine");
    assert_eq!(rig.text(turn), "mine");
    let asks = |effect: &llm_provider_copilot::Effect| {
        matches!(effect, llm_provider_copilot::Effect::Permission(PermissionEffect::Ask(..)))
    };
    assert!(!rig.effects.iter().any(asks));
}

/// An answer of the model in two messages, one for each stretch of thinking.
fn in_parts(rig: &mut Rig, name: &str, streamed: bool) {
    let part = |index: u32, text: &str| json!({"chunkIndex": index, "chunkCount": 2, "apiCallId": "x", "content": text, "reasoningText": format!("why {text}")});
    rig.event(name, "assistant.turn_start", json!({}));
    for (id, text) in [("p0", "first"), ("p1", "second")] {
        if streamed {
            let thought = json!({"reasoningId": format!("why-{id}"), "deltaContent": format!("why {text}")});
            rig.event(name, "assistant.reasoning_delta", thought);
            rig.event(name, "assistant.message_delta", json!({"messageId": id, "deltaContent": text}));
        }
    }
    says(rig, name, "p0", &["a"], &part(0, "first"));
    says(rig, name, "p1", &["b"], &part(1, "second"));
}

#[test]
fn messages_that_are_parts_of_one_answer_are_one() {
    for streamed in [true, false] {
        let (mut rig, turn, name, _) = running(with(ToolOwner::Return));
        in_parts(&mut rig, &name, streamed);
        wants(&mut rig, &name, "ra", "a");
        assert!(!rig.monitor.ended(turn), "the other call is to come");
        wants(&mut rig, &name, "rb", "b");
        assert_eq!(rig.finished(turn).reason, FinishReason::ToolCalls);
        let blocks = rig.blocks(turn);
        assert_eq!((rig.text(turn).as_str(), called(&blocks)), ("firstsecond", vec!["a", "b"]));
        let thought = |block: &Block| matches!(block, Block::Thinking(_));
        assert_eq!(blocks.iter().filter(|block| thought(block)).count(), 2, "no thinking twice, none lost: {blocks:?}");
        let result =
            |id: &str| Block::ToolResult(ToolResult { call_id: id.into(), content: "seen".into(), is_error: false });
        let results = Message { role: Role::User, blocks: vec![result("a"), result("b")] };
        let next = rig
            .ask_with(vec![user("one"), Message { role: Role::Assistant, blocks }, results], with(ToolOwner::Return));
        assert_eq!(rig.decisions(next), [NoticeKind::Continued]);
        let given = |rig: &mut Rig| {
            let asked = rig.answer("session.tools.handlePendingToolCall", json!({"success": true}));
            asked.params["requestId"].clone()
        };
        assert_eq!([given(&mut rig), given(&mut rig)], ["ra", "rb"]);
    }
}

/// The calls of one answer stand in one message of the history, followed by their results.
#[test]
fn calls_of_parts_are_of_one_round() {
    let (mut rig, turn, name, _) = running(with(ToolOwner::Callback));
    in_parts(&mut rig, &name, true);
    for id in ["a", "b"] {
        wants(&mut rig, &name, &format!("r{id}"), id);
        rig.tool_result(turn, id, "seen", false);
        rig.answer("session.tools.handlePendingToolCall", json!({"success": true}));
    }
    rig.event(&name, "assistant.turn_end", json!({}));
    rig.event(&name, "assistant.turn_start", json!({}));
    says(&mut rig, &name, "m", &[], &json!({"content": "done"}));
    rig.event(&name, "session.idle", json!({}));
    let mut blocks = rig.blocks(turn);
    let last = blocks.pop().unwrap();
    let result =
        |id: &str| Block::ToolResult(ToolResult { call_id: id.into(), content: "seen".into(), is_error: false });
    let history = vec![
        user("one"),
        Message { role: Role::Assistant, blocks },
        Message { role: Role::User, blocks: vec![result("a"), result("b")] },
        Message { role: Role::Assistant, blocks: vec![last] },
        user("two"),
    ];
    let next = rig.ask_with(history, with(ToolOwner::Callback));
    assert_eq!(rig.decisions(next), [NoticeKind::Continued]);
}
