//! Sessions whose log is not whole: of an answer in several parts only the last is on disk (PROTOCOL section 2, row `length`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod rig;

use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::provider::TurnOptions;
use llm_provider_guest::types::{Block, Message, Role, TextBlock, Tool, ToolCall, ToolOwner, ToolResult};
use rig::{BYOK, Rig, assistant, options, user};
use serde_json::json;

/// A conversation whose first answer came in two parts.
fn in_parts(asked: TurnOptions) -> (Rig, String, Vec<Message>) {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask_with(vec![user("one")], asked);
    rig.connect();
    let (name, sent) = rig.open();
    rig.event(&name, "assistant.turn_start", json!({}));
    rig.event(&name, "assistant.message_delta", json!({"messageId": "a", "deltaContent": "part "}));
    rig.event(&name, "assistant.usage", json!({"finishReason": "length"}));
    rig.reply(&name, &sent, "whole");
    assert_eq!(rig.text(turn), "part whole");
    (rig, name, vec![user("one"), assistant("part whole"), user("two")])
}

/// Says the next thing and has it answered.
fn goes_on(rig: &mut Rig, name: &str, history: &mut Vec<Message>) {
    let turn = rig.ask(history.clone());
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued], "in memory it is whole");
    let sent = rig.prompt_taken();
    rig.reply(name, &sent, "2");
    assert_eq!(rig.text(turn), "2");
    history.extend([assistant("2"), user("three")]);
}

fn other() -> TurnOptions {
    TurnOptions { system: Some("other".into()), ..options() }
}

fn rested(rig: &mut Rig) {
    rig.pass(901_000);
    rig.answer("runtime.shutdown", json!(null));
    rig.exited(0, "");
}

#[test]
fn a_log_with_a_gap_keeps_it_through_later_turns() {
    let (mut rig, name, mut history) = in_parts(options());
    goes_on(&mut rig, &name, &mut history);
    let turn = rig.ask_with(history, other());
    assert_eq!(rig.decisions(turn), [NoticeKind::ReSeeded]);
    assert!(!rig.methods().contains(&"session.resume"));
}

#[test]
fn a_session_with_a_gap_does_not_outlive_its_process() {
    for later in [false, true] {
        let (mut rig, name, mut history) = in_parts(options());
        if later {
            goes_on(&mut rig, &name, &mut history);
        }
        rested(&mut rig);
        let turn = rig.ask(history);
        rig.connect();
        let (another, _) = rig.open();
        assert_ne!(another, name);
        assert_eq!(rig.decisions(turn), [NoticeKind::ReSeeded]);
        let prompt = rig.all_asked.last().unwrap().params["prompt"].as_str().unwrap();
        assert!(prompt.contains("part whole"), "{prompt}");
    }
}

#[test]
fn a_turn_that_counted_on_what_was_in_memory_takes_a_new_session() {
    let (mut rig, name, mut history) = in_parts(options());
    goes_on(&mut rig, &name, &mut history);
    rig.pass(901_000);
    let turn = rig.ask(history.clone());
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued]);
    rig.answer("runtime.shutdown", json!(null));
    rig.exited(0, "");
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued, NoticeKind::ReSeeded]);
    rig.connect();
    let (another, sent) = rig.open();
    assert_ne!(another, name);
    let prompt = rig.all_asked.last().unwrap().params["prompt"].as_str().unwrap();
    assert!(prompt.contains("part whole") && prompt.ends_with("three"), "{prompt}");
    rig.reply(&another, &sent, "3");
    history.extend([assistant("3"), user("four")]);
    let turn = rig.ask_with(history, other());
    assert_eq!(rig.decisions(turn), [NoticeKind::Resumed], "the new one has no gap");
}

fn returning() -> TurnOptions {
    let tool = Tool { name: "t".into(), description: "d".into(), parameters: "{}".into() };
    TurnOptions { tools: vec![tool], tool_owner: ToolOwner::Return, ..options() }
}

/// What the user says beside results is not known to come in time where the session is woken.
#[test]
fn results_with_words_beside_them_do_not_wake_a_session() {
    let mut rig = Rig::new(BYOK);
    rig.ask_with(vec![user("one")], returning());
    rig.connect();
    let (name, sent) = rig.open();
    let requests = json!([{"toolCallId": "c", "name": "t", "arguments": {}}]);
    let message = json!({"messageId": "m", "originatingMessageId": sent, "content": "", "toolRequests": requests});
    rig.event(&name, "assistant.message", message);
    let request = json!({"requestId": "r", "toolCallId": "c", "toolName": "t", "arguments": {}});
    rig.event(&name, "external_tool.requested", request);
    rig.pass(901_000);
    let call = Block::ToolCall(ToolCall { id: "c".into(), name: "t".into(), arguments: "{}".into() });
    let result = Block::ToolResult(ToolResult { call_id: "c".into(), content: "R".into(), is_error: false });
    let words = Block::Text(TextBlock { text: "and hurry".into() });
    let history = vec![
        user("one"),
        Message { role: Role::Assistant, blocks: vec![call] },
        Message { role: Role::User, blocks: vec![result, words] },
    ];
    let turn = rig.ask_with(history, returning());
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued]);
    rig.answer("runtime.shutdown", json!(null));
    rig.exited(0, "");
    assert_eq!(rig.decisions(turn), [NoticeKind::Continued, NoticeKind::ReSeeded]);
    rig.connect();
    rig.open();
    let prompt = rig.all_asked.last().unwrap().params["prompt"].as_str().unwrap();
    assert!(prompt.contains("\"content\":\"R\"") && prompt.contains("and hurry"), "{prompt}");
}
