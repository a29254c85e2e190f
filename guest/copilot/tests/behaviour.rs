//! What the plugin does where no transcript goes.

mod rig;

use llm_provider_copilot::{Copilot, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{PermissionEffect, SidecarEffect};
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::events::{Event, NoticeKind};
use llm_provider_guest::permissions::PermissionKind;
use llm_provider_guest::provider::{Input, PermissionDecision, Sampling, ToolChoice, TurnOptions};
use llm_provider_guest::sidecar::StopMode;
use llm_provider_guest::types::{Block, FinishReason, ThinkingBlock, Tool};
use rig::{BYOK, GITHUB, Rig, assistant, options, setup, user};
use serde_json::json;

fn ready() -> (Rig, String) {
    let mut rig = Rig::new(BYOK);
    rig.ask(vec![user("one")]);
    rig.connect();
    let (name, id) = rig.open();
    rig.reply(&name, &id, "1");
    assert_eq!(rig.text(1), "1");
    (rig, name)
}

fn tool(name: &str) -> Tool {
    Tool { name: name.into(), description: "d".into(), parameters: "{\"type\":\"object\"}".into() }
}

#[test]
fn session_create_says_everything_and_the_secret_goes_by_name() {
    let mut rig = Rig::new(BYOK);
    rig.ask_with(vec![user("one")], TurnOptions { tools: vec![tool("t1")], system: None, ..options() });
    rig.connect();
    let params = rig.take("session.create").params;
    assert_eq!(params["provider"]["apiKey"], "s3cr\"et");
    assert_eq!(params["provider"]["type"], "openai");
    assert_eq!(params["systemMessage"], json!({"mode": "replace", "content": ""}));
    assert_eq!(params["availableTools"], json!(["t1"]));
    assert_eq!(params["tools"][0]["skipPermission"], true);
    assert_eq!(params["tools"][0]["parameters"], json!({"type": "object"}));
    assert_eq!((&params["streaming"], &params["requestPermission"]), (&json!(true), &json!(true)));
    assert_eq!((&params["enableSkills"], &params["memory"]["enabled"]), (&json!(false), &json!(false)));
    assert_eq!((&params["workingDirectory"], &params["model"]), (&json!("/w"), &json!("stub-model")));
    let name = params["sessionId"].as_str().unwrap();
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
}

/// The token stands in the environment of the CLI (`parity.rs` has whole turns).
#[test]
fn a_github_token_goes_into_the_environment_only() {
    let mut rig = Rig::new(GITHUB);
    rig.ask(vec![user("one")]);
    let start = |effect: &Effect| match effect {
        Effect::Sidecar(SidecarEffect::Start(_, spec)) => Some(spec.clone()),
        _ => None,
    };
    let spec = rig.effects.iter().find_map(start).unwrap();
    assert_eq!(spec.secrets[0].name, "COPILOT_SDK_AUTH_TOKEN");
    rig.connect();
    let params = rig.take("session.create").params;
    assert!(params.get("provider").is_none() && !params.to_string().contains("s3cr"));
}

/// S15: nothing is started before the first question.
#[test]
fn nothing_starts_before_the_first_turn_and_one_sidecar_serves_all() {
    let mut rig = Rig::new(BYOK);
    assert!(rig.effects.is_empty());
    rig.give(Input::OpenSession(2));
    rig.ask(vec![user("one")]);
    let other = llm_provider_guest::provider::Turn { session: 2, id: 77, history: vec![user("x")], options: options() };
    rig.give(Input::StartTurn(other));
    rig.connect();
    assert_eq!(rig.starts, 1);
    assert_eq!(rig.methods().iter().filter(|method| **method == "session.create").count(), 2);
}

/// B02: every new message of the user is sent, not only the last.
#[test]
fn several_new_messages_go_out_as_one_prompt_and_thinking_may_be_dropped() {
    let (mut rig, name) = ready();
    let mut said = assistant("1");
    said.blocks.insert(0, Block::Thinking(ThinkingBlock { text: "dropped or not".into(), signature: None }));
    let turn = rig.ask(vec![user("one"), said, user("two"), user("three")]);
    let sent = rig.take("session.send");
    assert_eq!(sent.params, json!({"sessionId": name, "prompt": "two\n\nthree"}));
    assert!(rig.notices(turn).is_empty());
}

#[test]
fn an_edited_history_is_seeded_anew() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("ONE"), assistant("1"), user("two")]);
    assert_eq!(rig.take("session.destroy").params["sessionId"], name.as_str());
    let (other, _) = rig.open();
    assert_ne!(name, other);
    let prompt = rig.all_asked.last().unwrap().params["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.contains(r#"{"role":"user","text":"ONE"}"#) && prompt.ends_with("\n\ntwo"), "{prompt}");
    assert_eq!(rig.notices(turn), [NoticeKind::ReSeeded]);
}

/// S19, B05, B20: another system prompt or other tools change the session, and forget nothing of it.
#[test]
fn other_options_take_the_session_up_again_with_everything() {
    let (mut rig, name) = ready();
    let history = vec![user("one"), assistant("1"), user("two")];
    let turn = rig.ask_with(history, TurnOptions { system: Some("T".into()), tools: vec![tool("t1")], ..options() });
    rig.answer("session.destroy", json!({"success": true}));
    let resume = rig.answer("session.resume", json!({}));
    assert_eq!(resume.params["sessionId"], name.as_str());
    assert_eq!(resume.params["systemMessage"]["content"], "T");
    assert_eq!(resume.params["provider"]["apiKey"], "s3cr\"et");
    rig.answer("session.options.update", json!({}));
    assert_eq!(rig.take("session.send").params["prompt"], "two");
    assert_eq!(rig.notices(turn), [NoticeKind::Resumed]);
}

#[test]
fn a_session_with_a_cut_answer_is_not_taken_up_again_from_disk() {
    let mut rig = Rig::new(BYOK);
    rig.ask(vec![user("one")]);
    rig.connect();
    let (name, _) = rig.open();
    for (id, text, reason) in [("a", "A ", "length"), ("b", "B", "stop")] {
        rig.event(&name, "assistant.turn_start", json!({}));
        rig.event(&name, "assistant.message_delta", json!({"messageId": id, "deltaContent": text}));
        rig.event(&name, "assistant.usage", json!({"finishReason": reason}));
    }
    rig.event(&name, "assistant.message", json!({"messageId": "b", "content": "B", "toolRequests": []}));
    rig.event(&name, "session.idle", json!({}));
    assert_eq!((rig.text(1).as_str(), rig.finished(1).reason), ("A B", FinishReason::Stop));
    let history = vec![user("one"), assistant("A B"), user("two")];
    let turn = rig.ask_with(history, TurnOptions { system: Some("T".into()), ..options() });
    assert_eq!(rig.notices(turn), [NoticeKind::ReSeeded]);
}

/// B14: an answer without deltas is an answer, and the whole one counts.
#[test]
fn the_whole_message_wins_over_what_was_streamed() {
    for (streamed, whole, abandoned) in
        [("", "all of it", 0), ("all ", "all of it", 0), ("all of it", "all of it", 0), ("else", "all of it", 1)]
    {
        let mut rig = Rig::new(BYOK);
        rig.ask(vec![user("one")]);
        rig.connect();
        let (name, _) = rig.open();
        rig.event(&name, "assistant.turn_start", json!({}));
        if !streamed.is_empty() {
            rig.event(&name, "assistant.message_delta", json!({"messageId": "m", "deltaContent": streamed}));
        }
        for _ in 0..2 {
            rig.event(&name, "assistant.message", json!({"messageId": "m", "content": whole}));
        }
        rig.event(&name, "session.idle", json!({}));
        assert_eq!(rig.text(1), "all of it");
        let count = rig.events(1).iter().filter(|event| matches!(event, Event::AttemptAbandoned(_))).count();
        assert_eq!(count, abandoned, "{streamed}");
    }
}

/// R5, R8: the end of a turn carries its cause, with what the process said last.
#[test]
fn p01_a_crash_before_ready_fails_the_turn_with_its_last_words() {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("one")]);
    rig.started();
    rig.exited(3, "Offline mode requires a local model provider.");
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.request_sent), (ErrorKind::Sidecar, false));
    assert!(error.message.contains("code 3") && error.message.contains("Offline mode"), "{}", error.message);
}

#[test]
fn p02_a_crash_in_mid_turn_fails_it_once_and_the_next_turn_starts_anew() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    rig.take("session.send");
    rig.event(&name, "assistant.message_delta", json!({"messageId": "m", "deltaContent": "par"}));
    rig.output(b"Content-Length: 100\r\n\r\n{\"json");
    rig.exited(137, "");
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::Sidecar, Verdict::RetryInFreshSession));
    assert!(error.request_sent && error.output_seen && !error.tools_ran);
    assert!(error.message.contains("within a frame"), "P04: {}", error.message);
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    assert_eq!(rig.starts, 2);
    rig.connect();
    let (other, id) = rig.open();
    assert_ne!(name, other);
    rig.reply(&other, &id, "2");
    assert_eq!(rig.notices(turn), [NoticeKind::Restarted, NoticeKind::ReSeeded]);
    assert_eq!(rig.text(turn), "2");
}

#[test]
fn p03_a_cli_that_does_not_shake_hands_is_ended_after_20_s() {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("one")]);
    rig.started();
    let began = rig.now;
    rig.pass(19_999);
    assert!(!rig.monitor.ended(turn));
    rig.pass(1);
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Timeout);
    assert_eq!(rig.now - began, 20_000);
    let killed = |effect: &Effect| matches!(effect, Effect::Sidecar(SidecarEffect::Stop(_, StopMode::Kill)));
    assert!(rig.effects.iter().any(killed));
}

#[test]
fn p06_junk_is_passed_over_up_to_its_budget() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    rig.output(b"hello from a prompt\n");
    let id = rig.prompt_taken();
    rig.reply(&name, &id, "2");
    assert_eq!(rig.text(turn), "2");
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two"), assistant("2"), user("three")]);
    rig.output(&vec![0x1b; 9_000]);
    let error = rig.failed(turn).error;
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("\\x1b") && !error.message.contains('\u{1b}'));
}

#[test]
fn p13_a_restart_storm_ends_in_a_refusal() {
    let mut rig = Rig::new(BYOK);
    let mut refused = None;
    for _ in 0..10 {
        let before = rig.starts;
        let turn = rig.ask(vec![user("one")]);
        if rig.starts == before && !rig.monitor.ended(turn) {
            rig.pass(rig.timer.unwrap() - rig.now);
        }
        if rig.monitor.ended(turn) {
            refused = Some(rig.failed(turn).error);
            break;
        }
        rig.started();
        rig.exited(1, "");
    }
    let error = refused.expect("a start was refused");
    assert_eq!((error.kind, rig.starts), (ErrorKind::Sidecar, 6));
    assert!(matches!(error.verdict, Verdict::RetryAfter(_)) && error.message.contains("too often"));
}

#[test]
fn p14_another_protocol_version_is_named() {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("one")]);
    rig.started();
    rig.answer("connect", json!({"protocolVersion": 4, "version": "2.0.0"}));
    let error = rig.failed(turn).error;
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("version 4") && error.message.contains("version 3"), "{}", error.message);
}

#[test]
fn p14_unknown_events_are_counted_and_unknown_requests_refused() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    let id = rig.prompt_taken();
    for _ in 0..3 {
        rig.event(&name, "future.event", json!({"x": [1]}));
    }
    rig.frame(r#"{"jsonrpc":"2.0","id":"q-7","method":"uiThread.run","params":{}}"#);
    rig.reply(&name, &id, "2");
    assert_eq!(rig.notices(turn), [NoticeKind::UnknownEventIgnored]);
    assert_eq!(rig.answers.last().unwrap()["id"], "q-7");
    assert_eq!(rig.answers.last().unwrap()["error"]["code"], -32601);
}

#[test]
fn p15_a_lost_idle_ends_in_a_ping_and_a_failure() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    rig.prompt_taken();
    rig.pass(100_000);
    rig.event(&name, "assistant.streaming_delta", json!({"totalResponseSizeBytes": 1}));
    rig.pass(119_999);
    assert!(!rig.monitor.ended(turn), "any event counts as activity");
    rig.pass(1);
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Timeout);
    let asked: Vec<&str> = rig.asked.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(asked, ["session.abort", "ping"]);
    rig.pass(10_000);
    let killed = |effect: &Effect| matches!(effect, Effect::Sidecar(SidecarEffect::Stop(_, StopMode::Kill)));
    assert!(rig.effects.iter().any(killed), "P03: what does not answer a ping is ended");
}

#[test]
fn a_tool_that_takes_its_time_is_not_silence() {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask_with(vec![user("one")], TurnOptions { tools: vec![tool("t1")], ..options() });
    rig.connect();
    let (name, _) = rig.open();
    let call = json!({"requestId": "r", "toolCallId": "c", "toolName": "t1", "arguments": {"a": 1}});
    rig.event(&name, "external_tool.requested", call.clone());
    rig.event(&name, "external_tool.requested", call);
    assert_eq!(rig.invoked.len(), 1, "a call runs once");
    rig.pass(500_000);
    assert!(!rig.monitor.ended(turn));
    rig.tool_result(turn, "c", "boom", true);
    let told = |event: &Event| matches!(event, Event::ToolAnswered(result) if result.content == "boom");
    assert_eq!(rig.events(turn).iter().filter(|event| told(event)).count(), 1);
    let asked = rig.take("session.tools.handlePendingToolCall");
    assert_eq!(asked.params["result"], json!({"textResultForLlm": "boom", "resultType": "failure"}));
    rig.tool_result(turn, "c", "again", false);
    rig.pass(120_000);
    assert!(rig.failed(turn).error.tools_ran);
}

#[test]
fn a_permission_request_is_denied_with_feedback_and_the_turn_goes_on() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    let id = rig.prompt_taken();
    let wanted = json!({"requestId": "p", "permissionRequest": {"kind": "shell", "fullCommandText": "rm\n-r"}});
    rig.event(&name, "permission.requested", wanted);
    let Some(Effect::Permission(PermissionEffect::Ask(of, request))) = rig.effects.last().cloned() else { panic!() };
    assert_eq!((of, request.kind, request.summary.as_str()), (turn, PermissionKind::Command, "rm\\n-r"));
    rig.pass(1_000_000);
    assert!(!rig.monitor.ended(turn), "a person may think about it");
    rig.decide(turn, "p", PermissionDecision::Deny(String::new()));
    let asked = rig.take("session.permissions.handlePendingPermissionRequest");
    assert_eq!(asked.params["result"]["kind"], "reject");
    assert!(!asked.params["result"]["feedback"].as_str().unwrap().is_empty(), "without feedback the turn would end");
    rig.decide(turn, "p", PermissionDecision::Allow);
    assert!(rig.asked.is_empty(), "a second decision is dropped");
    rig.reply(&name, &id, "2");
    assert_eq!(rig.notices(turn), [NoticeKind::PermissionDenied]);
    assert_eq!(rig.text(turn), "2");
}

#[test]
fn an_early_idle_does_not_end_the_turn_and_answers_may_come_late() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    rig.event(&name, "session.idle", json!({"aborted": true}));
    assert!(!rig.monitor.ended(turn));
    let send = rig.take("session.send");
    rig.reply(&name, "server-name", "2");
    assert_eq!(rig.text(turn), "2");
    rig.frame(&json!({"jsonrpc": "2.0", "id": send.id, "result": {"messageId": "server-name"}}).to_string());
    rig.event(&name, "assistant.message_delta", json!({"messageId": "late", "deltaContent": "late"}));
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_is_sent() {
    let refused = |config: &str, history, options: TurnOptions| {
        let mut rig = Rig::new(config);
        let turn = rig.ask_with(history, options);
        assert_eq!((rig.starts, rig.failed(turn).error.request_sent), (0, false));
        rig.failed(turn).error.kind
    };
    let one = || vec![user("one")];
    assert_eq!(refused(BYOK, vec![], options()), ErrorKind::InvalidRequest);
    assert_eq!(refused(BYOK, vec![user("one"), assistant("1")], options()), ErrorKind::InvalidRequest);
    assert_eq!(refused(BYOK, vec![user("")], options()), ErrorKind::InvalidRequest);
    let warm = TurnOptions { sampling: Sampling { temperature: Some(0.5), ..Sampling::default() }, ..options() };
    assert_eq!(refused(BYOK, one(), warm), ErrorKind::Unsupported, "B25");
    let stop = TurnOptions { stop_sequences: vec!["END".into()], ..options() };
    assert_eq!(refused(BYOK, one(), stop), ErrorKind::Unsupported);
    let forced = TurnOptions { tools: vec![tool("t")], tool_choice: ToolChoice::Named("t".into()), ..options() };
    assert_eq!(refused(BYOK, one(), forced), ErrorKind::Unsupported);
    let both = TurnOptions { tools: vec![tool("bash")], provider_tools: vec!["bash".into()], ..options() };
    assert_eq!(refused(BYOK, one(), both), ErrorKind::InvalidRequest);
    let schema = TurnOptions { output_schema: Some("[]".into()), ..options() };
    assert_eq!(refused(BYOK, one(), schema), ErrorKind::InvalidRequest);
    let tools = TurnOptions { tools: vec![tool("a b")], ..options() };
    assert_eq!(refused(BYOK, one(), tools), ErrorKind::InvalidRequest);
    let tools = TurnOptions { tools: vec![tool("t"), tool("t")], ..options() };
    assert_eq!(refused(BYOK, one(), tools), ErrorKind::InvalidRequest);
    let most = TurnOptions { max_output_tokens: Some(5), ..options() };
    assert_eq!(refused(GITHUB, one(), most), ErrorKind::Unsupported);
    let nameless = BYOK.replace(r#""model":"stub-model","#, "");
    assert_eq!(refused(&nameless, one(), options()), ErrorKind::InvalidRequest);
}

#[test]
fn refusals_of_the_cli_are_classified() {
    let mut rig = Rig::new(GITHUB);
    let turn = rig.ask(vec![user("one")]);
    rig.connect();
    let message = "Request session.create failed with message: Authentication failed: Failed to validate SDK token: x";
    rig.refuse("session.create", -32603, message);
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Authentication);
    // A credential that could not be looked at was not refused.
    for prefix in ["Authentication failed: Failed to validate SDK token", "GitHub token validation failed"] {
        let mut rig = Rig::new(GITHUB);
        let turn = rig.ask(vec![user("one")]);
        rig.connect();
        let cause = "network fetch failed: request failed: error sending request for url (https://api.github.com/x)";
        let message = format!("Request session.create failed with message: {prefix}: {cause}");
        rig.refuse("session.create", -32603, &message);
        let error = rig.failed(turn).error;
        assert_eq!(error.kind, ErrorKind::Transport);
        assert!(matches!(error.verdict, Verdict::RetryAfter(_)), "{:?}", error.verdict);
        let turn = rig.ask(vec![user("one")]);
        rig.answer("session.destroy", json!({"success": false}));
        let (name, _) = rig.open();
        rig.event(
            &name,
            "session.error",
            json!({"errorType": "authentication", "message": format!("{prefix}: {cause}")}),
        );
        rig.event(&name, "session.idle", json!({}));
        assert_eq!(rig.failed(turn).error.kind, ErrorKind::Transport);
    }
    let (mut rig, _) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    rig.refuse("session.send", -32603, "Request session.send failed with message: it is Tuesday");
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Internal);
    let again = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    assert_eq!(rig.notices(again), [NoticeKind::ReSeeded]);
}

#[test]
fn closing_and_shutting_down_are_polite_and_final() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    rig.prompt_taken();
    rig.give(Input::CloseSession(1));
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Cancelled);
    rig.answer("session.abort", json!({"success": true}));
    assert_eq!(rig.answer("session.destroy", json!({"success": true})).params["sessionId"], name.as_str());
    rig.give(Input::OpenSession(1));
    rig.give(Input::Shutdown);
    rig.answer("runtime.shutdown", json!(null));
    assert!(matches!(
        rig.effects.last(),
        Some(Effect::Timer(_) | Effect::Sidecar(SidecarEffect::Stop(_, StopMode::Graceful)))
    ));
    let turn = rig.ask(vec![user("late")]);
    assert!(rig.monitor.ended(turn));
}

#[test]
fn configurations_that_cannot_work_are_refused_by_name() {
    let message = |config: &str| Copilot::configure(setup(config)).err().map(|error| error.message).unwrap_or_default();
    assert!(message("{").contains("configuration"));
    assert!(message(&BYOK.replace("base-url", "base_url")).contains("base_url"));
    assert!(message(&BYOK.replace("http://127.0.0.1:9/v1", "ftp://x")).contains("base-url"));
    assert!(message(&GITHUB.replace("\"key\"", "\"other\"")).contains("`other`"));
    assert!(message(&BYOK.replace("\"openai\"", "\"anthropic\",\"wire-api\":\"responses\"")).contains("wire-api"));
    assert!(
        message(&BYOK.replace("\"api-key\"", "\"headers\":{\"x-key\":{\"secret\":\"nope\"}},\"api-key\""))
            .contains("nope")
    );
    assert_eq!(message(BYOK), "");
}

#[test]
fn a_sub_agents_text_is_not_the_answer() {
    let (mut rig, name) = ready();
    let turn = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    let id = rig.prompt_taken();
    let data = json!({"messageId": "m", "deltaContent": "of \"agentId\" no\nbody"});
    let delta = rig::event(&name, "assistant.message_delta", &data);
    rig.frame(&delta.replace("\"ephemeral\":true", "\"agentId\":\"sub\""));
    assert_eq!(rig.monitor.blocks(turn).len(), 0);
    rig.frame(&delta);
    rig.frame(&delta.replace("\"params\":{", "\"params\": {"));
    rig.event(&name, "session.idle", json!({}));
    assert_eq!(rig.text(turn), "of \"agentId\" no\nbody".repeat(2));
    assert!(!id.is_empty());
}

/// S29: what belongs to an attempt ends with it.
#[test]
fn a_retry_voids_the_failed_call_at_once_and_keeps_what_came_before() {
    let mut rig = Rig::new(BYOK);
    rig.ask(vec![user("one")]);
    rig.connect();
    let (name, _) = rig.open();
    let delta = |id: &str, text: &str| json!({"messageId": id, "deltaContent": text});
    rig.event(&name, "assistant.turn_start", json!({}));
    rig.event(&name, "assistant.message_delta", delta("a", "kept "));
    rig.event(&name, "assistant.usage", json!({"finishReason": "length"}));
    rig.event(&name, "assistant.message_delta", delta("b", "void"));
    rig.event(&name, "assistant.turn_retry", json!({"reason": "streaming_error"}));
    let told = |rig: &Rig| -> Vec<String> {
        let last = rig.events(1).into_iter().rev().take_while(|event| !matches!(event, Event::AttemptStarted(_)));
        let text = |event| if let Event::TextDelta(delta) = event { Some(delta.text) } else { None };
        let mut told: Vec<String> = last.filter_map(text).collect();
        told.reverse();
        told
    };
    assert_eq!(told(&rig), ["kept "], "before anything new comes");
    rig.event(&name, "assistant.message_delta", delta("c", "new"));
    rig.event(&name, "assistant.message", json!({"messageId": "c", "content": "new"}));
    rig.event(&name, "assistant.message", json!({"messageId": "c", "content": "something else"}));
    rig.event(&name, "session.idle", json!({}));
    assert_eq!((told(&rig), rig.text(1)), (vec!["kept ".to_owned(), "new".to_owned()], "kept new".to_owned()));
}
