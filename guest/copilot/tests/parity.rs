//! Faults that other providers of Copilot had, each with a test that has them fail (`tests/tidy/parity.rs` counts them).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod rig;

use llm_provider_copilot::Effect;
use llm_provider_guest::effects::SidecarEffect;
use llm_provider_guest::errors::ErrorKind;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::provider::{Input, TurnOptions};
use llm_provider_guest::secrets::Chunk;
use llm_provider_guest::types::{Block, FinishReason, Message, Role, Tool, ToolCall, ToolOwner, ToolResult};
use rig::{BYOK, GITHUB, Rig, assistant, options, user};
use serde_json::json;

fn tool(name: &str, description: &str, parameters: &str) -> Tool {
    Tool { name: name.into(), description: description.into(), parameters: parameters.into() }
}

fn with(tools: Vec<Tool>) -> TurnOptions {
    TurnOptions { tools, ..options() }
}

/// A turn whose prompt was taken, in a fresh rig: with the session's name and the prompt's.
fn running(config: &str, options: TurnOptions) -> (Rig, u64, String, String) {
    let mut rig = Rig::new(config);
    let turn = rig.ask_with(vec![user("one")], options);
    rig.connect();
    let (name, sent) = rig.open();
    (rig, turn, name, sent)
}

/// S14, B08: over whole turns, a GitHub token is given to the process as a variable, and written nowhere.
#[test]
fn s14_a_github_token_is_never_written() {
    let (mut rig, turn, name, sent) = running(GITHUB, options());
    rig.reply(&name, &sent, "1");
    assert_eq!(rig.text(turn), "1");
    rig.ask_with(vec![user("one"), assistant("1"), user("two")], with(vec![tool("t", "d", "{}")]));
    rig.answer("session.destroy", json!({}));
    rig.answer("session.resume", json!({}));
    for effect in &rig.effects {
        match effect {
            Effect::Sidecar(SidecarEffect::Start(_, spec)) => {
                let [secret] = &spec.secrets[..] else { panic!("{:?}", spec.secrets) };
                assert_eq!((secret.name.as_str(), secret.secret.name.as_str()), ("COPILOT_SDK_AUTH_TOKEN", "key"));
            }
            Effect::Sidecar(SidecarEffect::Send(_, chunks)) => {
                assert!(chunks.iter().all(|chunk| matches!(chunk, Chunk::Bytes(_))), "{chunks:?}");
            }
            _ => {}
        }
    }
}

/// S17, R2, R4: what fails after the process was started ends that process, whatever it is, and the error says why.
#[test]
fn s17_a_start_that_fails_half_way_leaves_no_process() {
    type Fails = fn(&mut Rig);
    let table: [(Fails, ErrorKind, &str); 4] = [
        (|rig| drop(rig.answer("connect", json!({"protocolVersion": 4}))), ErrorKind::Protocol, "version 4"),
        (|rig| drop(rig.answer("connect", json!("odd"))), ErrorKind::Protocol, "handshake"),
        (|rig| drop(rig.refuse("connect", -32_603, "no room")), ErrorKind::Protocol, "no room"),
        (|rig| rig.pass(20_000), ErrorKind::Timeout, "20"),
    ];
    for (fails, kind, why) in table {
        let mut rig = Rig::new(BYOK);
        let turn = rig.ask(vec![user("one")]);
        rig.started();
        let process = rig.sidecar.unwrap();
        fails(&mut rig);
        let error = rig.failed(turn).error;
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.message.contains(why), "{error:?}");
        let ended = |effect: &Effect| matches!(effect, Effect::Sidecar(SidecarEffect::Stop(id, _)) if *id == process);
        assert_eq!(rig.effects.iter().filter(|effect| ended(effect)).count(), 1, "{why}");
    }
}

/// S22: a history with nothing to answer is refused, and costs no process.
#[test]
fn s22_a_history_with_nothing_to_answer_is_refused() {
    for history in [vec![], vec![user("q"), assistant("a")], vec![user("")]] {
        let mut rig = Rig::new(BYOK);
        let turn = rig.ask(history);
        let error = rig.failed(turn).error;
        assert_eq!((error.kind, rig.starts), (ErrorKind::InvalidRequest, 0), "{error:?}");
        assert!(error.message.contains("history"), "{error:?}");
    }
}

/// S23, B06: what a session is kept by is all of its tools: names, descriptions and schemas, none run into another. Their
/// order is not.
#[test]
fn b06_any_change_of_the_tools_changes_the_session() {
    let before = || vec![tool("a", "d", r#"{"type":"object"}"#), tool("b", "e", "{}")];
    let changed = [
        vec![tool("a", "d", r#"{"type":"object"}"#)],
        vec![tool("a", "other", r#"{"type":"object"}"#), tool("b", "e", "{}")],
        vec![tool("a", "d", r#"{"type":"object","required":["x"]}"#), tool("b", "e", "{}")],
        vec![tool("ab", "d", r#"{"type":"object"}"#), tool("c", "e", "{}")],
        vec![tool("a", "d,b", r#"{"type":"object"}"#), tool("b", "e", "{}")],
        vec![],
    ];
    let decided = |tools: Vec<Tool>| {
        let (mut rig, _, name, sent) = running(BYOK, with(before()));
        rig.reply(&name, &sent, "1");
        let turn = rig.ask_with(vec![user("one"), assistant("1"), user("two")], with(tools));
        (rig.decisions(turn), rig)
    };
    for tools in changed {
        let (decision, mut rig) = decided(tools.clone());
        assert_eq!(decision, [NoticeKind::Resumed], "{tools:?}");
        rig.answer("session.destroy", json!({}));
        let told = rig.take("session.resume").params["tools"].as_array().unwrap().len();
        assert_eq!(told, tools.len(), "the session gets what is offered now");
    }
    assert_eq!(decided(before()).0, [NoticeKind::Continued]);
    assert_eq!(decided(before().into_iter().rev().collect()).0, [NoticeKind::Continued]);
}

/// R1: a session that takes the place of a forgotten one is given everything: options, tools, and all that was said.
#[test]
fn r1_a_replaced_session_is_given_everything_anew() {
    let tools = vec![tool("t1", "d", "{}"), tool("t2", "d", "{}")];
    let (mut rig, _, name, sent) = running(BYOK, with(tools.clone()));
    rig.reply(&name, &sent, "1");
    let history = vec![user("one"), assistant("1"), user("two")];
    let turn = rig.ask_with(history, with(tools));
    rig.refuse("session.send", -32_603, "Request session.send failed with message: Session not found for sessionId: x");
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued, NoticeKind::ReSeeded]);
    rig.asked.retain(|asked| asked.method != "session.destroy");
    let created = rig.answer("session.create", json!({})).params;
    assert_ne!(created["sessionId"], name);
    assert_eq!(created["tools"].as_array().unwrap().len(), 2);
    assert_eq!(created["systemMessage"]["content"], "S");
    rig.asked.retain(|asked| asked.method != "session.destroy");
    rig.answer("session.options.update", json!({}));
    let prompt = rig.take("session.send").params["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.contains(r#"{"role":"user","text":"one"}"#), "{prompt}");
    assert!(prompt.contains(r#"{"role":"assistant","text":"1"}"#) && prompt.ends_with("\n\ntwo"), "{prompt}");
}

/// S29, R3: a call that a failed try had begun is not told; one that was made is, once, and with its answer.
#[test]
fn r3_calls_of_a_failed_try_are_not_told() {
    let (mut rig, turn, name, sent) = running(BYOK, with(vec![tool("t", "d", "{}")]));
    rig.event(&name, "assistant.turn_start", json!({}));
    rig.event(
        &name,
        "external_tool.requested",
        json!({"requestId": "r", "toolCallId": "made", "toolName": "t", "arguments": {}}),
    );
    let begun = json!({"toolCallId": "begun", "toolName": "t", "inputDelta": "{\"a"});
    rig.event(&name, "assistant.tool_call_delta", begun);
    rig.event(&name, "assistant.turn_retry", json!({"reason": "streaming_error"}));
    rig.tool_result(turn, "made", "seen", false);
    let message = json!({"messageId": "m", "originatingMessageId": sent, "content": "done", "toolRequests": []});
    rig.event(&name, "assistant.message", message);
    rig.event(&name, "session.idle", json!({}));
    let calls: Vec<String> = rig
        .blocks(turn)
        .into_iter()
        .filter_map(|block| match block {
            Block::ToolCall(call) => Some(call.id),
            _ => None,
        })
        .collect();
    assert_eq!((calls, rig.invoked.len()), (vec!["made".to_owned()], 1));
    assert_eq!((rig.text(turn).as_str(), rig.finished(turn).reason), ("done", FinishReason::Stop));
}

/// B14: what a model says before and after its tools are two texts.
#[test]
fn b14_texts_of_several_messages_are_not_glued_together() {
    let (mut rig, turn, name, sent) = running(BYOK, options());
    for (id, text) in [("m1", "Let me look."), ("m2", "It is 42.")] {
        rig.event(&name, "assistant.turn_start", json!({}));
        rig.event(&name, "assistant.message_delta", json!({"messageId": id, "deltaContent": text}));
        let message = json!({"messageId": id, "originatingMessageId": sent, "content": text, "toolRequests": []});
        rig.event(&name, "assistant.message", message);
    }
    rig.event(&name, "session.idle", json!({}));
    let texts: Vec<String> = rig
        .blocks(turn)
        .into_iter()
        .filter_map(|block| match block {
            Block::Text(text) => Some(text.text),
            _ => None,
        })
        .collect();
    assert_eq!(texts, ["Let me look.", "It is 42."]);
}

/// S28, B16: usage is summed over the calls of a turn, caches included, and told when the turn fails too.
#[test]
fn b16_usage_is_summed_and_survives_a_failure() {
    for fails in [false, true] {
        let (mut rig, turn, name, sent) = running(BYOK, options());
        for (input, written) in [(10, 5), (20, 7)] {
            rig.event(&name, "assistant.turn_start", json!({}));
            let usage = json!({"inputTokens": input, "outputTokens": 2, "cacheReadTokens": 3, "cacheWriteTokens": written,
                "finishReason": "stop"});
            rig.event(&name, "assistant.usage", usage);
        }
        if fails {
            let error = json!({"errorType": "query", "message": "no", "statusCode": 400, "originatingMessageId": sent});
            rig.event(&name, "session.error", error);
        } else {
            rig.event(&name, "assistant.message", json!({"messageId": "m", "content": "done"}));
        }
        rig.event(&name, "session.idle", json!({}));
        let usage = if fails { rig.failed(turn).usage } else { rig.finished(turn).usage };
        assert_eq!((usage.model_calls, usage.input_tokens, usage.output_tokens), (2, 30, 4), "{fails}");
        assert_eq!((usage.cache_read_tokens, usage.cache_write_tokens), (6, 12), "{fails}");
    }
}

/// B10: a cancel stops the server's turn, and what comes of it late reaches no other.
#[test]
fn b10_a_cancelled_turn_is_aborted_and_its_late_events_go_nowhere() {
    let (mut rig, turn, name, sent) = running(BYOK, options());
    rig.event(&name, "assistant.message_delta", json!({"messageId": "m", "deltaContent": "early"}));
    rig.give(Input::CancelTurn(turn));
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Cancelled);
    assert_eq!(rig.take("session.abort").params["sessionId"], name.as_str());
    let next = rig.ask(vec![user("one"), user("two")]);
    let (other, second) = rig.open();
    assert_ne!(other, name);
    rig.reply(&name, &sent, "LATE");
    assert!(!rig.monitor.ended(next));
    rig.reply(&other, &second, "fine");
    assert_eq!(rig.text(next), "fine");
}

/// B01: a turn whose tools the caller runs invokes none, and one whose tools the host runs returns none.
#[test]
fn b01_a_call_has_one_owner() {
    for owner in [ToolOwner::Callback, ToolOwner::Return] {
        let options = TurnOptions { tool_owner: owner, ..with(vec![tool("t", "d", "{}")]) };
        let (mut rig, turn, name, sent) = running(BYOK, options);
        let requests = json!([{"toolCallId": "c", "name": "t", "arguments": {}}]);
        let message = json!({"messageId": "m", "originatingMessageId": sent, "content": "", "toolRequests": requests});
        rig.event(&name, "assistant.message", message);
        rig.event(
            &name,
            "external_tool.requested",
            json!({"requestId": "r", "toolCallId": "c", "toolName": "t", "arguments": {}}),
        );
        let returned = owner == ToolOwner::Return;
        assert_eq!((rig.invoked.is_empty(), rig.monitor.ended(turn)), (returned, returned));
        if returned {
            assert_eq!(rig.finished(turn).reason, FinishReason::ToolCalls);
        }
    }
    // A history that holds calls and results runs nothing either.
    let call = Block::ToolCall(ToolCall { id: "c".into(), name: "t".into(), arguments: "{}".into() });
    let result = Block::ToolResult(ToolResult { call_id: "c".into(), content: "r".into(), is_error: false });
    let history = vec![
        user("one"),
        Message { role: Role::Assistant, blocks: vec![call] },
        Message { role: Role::User, blocks: vec![result] },
    ];
    let mut rig = Rig::new(BYOK);
    rig.ask_with(history, with(vec![tool("t", "d", "{}")]));
    rig.connect();
    rig.open();
    assert!(rig.invoked.is_empty());
}
