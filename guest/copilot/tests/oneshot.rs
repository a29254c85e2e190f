//! The mode `one-shot`: transcripts of the real CLI, and what the plugin does where none goes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use llm_provider_copilot::{AnyMode, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{CatalogEffect, SidecarEffect};
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::events::{Event, NoticeKind};
use llm_provider_guest::provider::{Input, ReasoningEffort, Sampling, SidecarFault, TurnOptions};
use llm_provider_guest::sidecar_types::Exit;
use llm_provider_guest::types::{Block, FinishReason, ImageBlock, ImageSource, Message, Role, Tool, ToolResult, Usage};
use proptest::prelude::*;
use rig::oneshot::{BYOK, GITHUB, Rig, transcript};
use rig::{assistant, setup, user};

/// A report with these sums.
fn report(calls: u32, input: u64, output: u64) -> Option<String> {
    Some(format!(
        r#"{{"modelMetrics":{{"m":{{"requests":{{"count":{calls},"cost":0}},"usage":{{"inputTokens":{input},"outputTokens":{output},"cacheReadTokens":0,"cacheWriteTokens":0,"reasoningTokens":0}}}}}}}}"#
    ))
}

/// One turn through a recorded output.
fn whole(name: &str, code: i32) -> Rig {
    let mut rig = Rig::new(BYOK);
    rig.ask(vec![user("Say hi")]);
    rig.play(&transcript(name), code, None);
    rig
}

#[test]
fn a_process_gets_checked_settings_a_secret_by_name_and_the_prompt_on_its_input() {
    let mut rig = Rig::new(BYOK);
    rig.ask(vec![user("Say hi")]);
    let (id, spec) = rig.starts().pop().unwrap();
    assert_eq!(spec.name, "copilot-cli-oneshot");
    assert_eq!(
        (spec.secrets[0].name.as_str(), spec.secrets[0].secret.name.as_str()),
        ("COPILOT_PROVIDER_API_KEY", "key")
    );
    let settings = rig.settings();
    assert_eq!(settings["provider-base-url"], "http://127.0.0.1:9/v1");
    assert_eq!((settings["model"].as_str(), settings["stream"].as_str()), ("stub-model", "on"));
    assert!(settings.values().all(|value| !value.contains("Say hi")), "{settings:?}");
    assert_eq!(rig.prompt(id), "", "nothing is written before it runs");
    rig.started(id);
    assert_eq!(rig.prompt(id), "Say hi");
    let closed =
        |effect: &Effect| matches!(effect, Effect::Sidecar(SidecarEffect::CloseInput(closed)) if *closed == id);
    assert!(rig.effects.iter().any(closed));
}

#[test]
fn github_gets_a_token_and_no_endpoint() {
    let mut rig = Rig::new(GITHUB);
    let effort = Some(ReasoningEffort::Other("xhigh".into()));
    rig.ask_in(1, vec![user("hi")], TurnOptions { reasoning_effort: effort, ..TurnOptions::default() });
    let (_, spec) = rig.starts().pop().unwrap();
    assert_eq!(spec.secrets[0].name, "COPILOT_GITHUB_TOKEN");
    let settings = rig.settings();
    assert_eq!(settings["reasoning-effort"], "xhigh");
    assert!(settings.keys().all(|name| !name.starts_with("provider-")), "{settings:?}");
}

#[test]
fn every_answer_comes_once_and_whole() {
    for (name, text, thinking) in [
        ("06_json_stream_on", "Hello there, world.", "think "),
        ("06_json_stream_off", "Hello there, world.", ""),
        ("06_stdin_prompt", "OK from stub.", ""),
        ("06_anthropic", "Anth", ""),
        ("06_responses", "Resp", ""),
        ("06z_length", "Hello there.Hello there.", ""),
        ("06z_cut_mid", "Hello there.", ""),
        ("06_tool_no_allow", "done", ""),
    ] {
        let rig = whole(&format!("{name}.stdout.txt"), 0);
        assert_eq!((rig.finished(1).reason, rig.text(1).as_str()), (FinishReason::Stop, text), "{name}");
        let thought: String = rig
            .events(1)
            .into_iter()
            .filter_map(|event| if let Event::ThinkingDelta(delta) = event { Some(delta.text) } else { None })
            .collect();
        assert_eq!(thought, thinking, "{name}");
        assert!(!rig.notices(1).contains(&NoticeKind::UnknownEventIgnored), "{name}");
        assert!(rig.notices(1).contains(&NoticeKind::Other("usage-missing".into())), "{name}");
    }
}

#[test]
fn a_try_that_broke_off_is_abandoned() {
    let rig = whole("06z_cut_mid.stdout.txt", 0);
    let abandoned = rig.events(1).into_iter().filter(|event| matches!(event, Event::AttemptAbandoned(_))).count();
    assert_eq!(abandoned, 1);
    assert!(rig.notices(1).contains(&NoticeKind::ProviderRetry));
}

#[test]
fn a_filtered_answer_says_so() {
    let rig = whole("06z_filter.stdout.txt", 0);
    assert_eq!((rig.finished(1).reason, rig.text(1).as_str()), (FinishReason::ContentFilter, ""));
}

#[test]
fn failures_mean_what_they_mean_to_the_server() {
    let failed = |name: &str| {
        let rig = whole(&format!("{name}.stdout.txt"), 1);
        let error = rig.failed(1).error;
        assert!(error.request_sent && !error.output_seen, "{name}");
        (error.kind, error.http_status, error.verdict)
    };
    assert_eq!(failed("06_err_400"), (ErrorKind::InvalidRequest, Some(400), Verdict::Surface));
    assert_eq!(failed("06_err_401"), (ErrorKind::Authentication, Some(401), Verdict::Surface));
    assert_eq!(failed("06_err_429_ra1"), (ErrorKind::RateLimit, Some(429), Verdict::RetryAfter(30_000)));
    assert_eq!(failed("06_err_500"), (ErrorKind::Internal, Some(500), Verdict::RetryAfter(500)));
    assert_eq!(failed("06_refused"), (ErrorKind::Transport, None, Verdict::RetryAfter(500)));
}

#[test]
fn a_refused_key_is_not_tried_again() {
    let rig = whole("06_err_401.stdout.txt", 1);
    assert_eq!(rig.killed(), [1]);
    assert!(!rig.notices(1).contains(&NoticeKind::ProviderRetry));
}

#[test]
fn a_start_that_fails_is_told_apart_by_its_text() {
    let failed = |stderr: &str, code: Option<i32>| {
        let mut rig = Rig::new(BYOK);
        rig.ask(vec![user("hi")]);
        rig.started(1);
        let signal = if code.is_none() { Some(9) } else { None };
        rig.exited(1, Exit { code, signal, stderr_tail: stderr.into(), ..Exit::default() });
        let error = rig.failed(1).error;
        assert!(!error.request_sent, "{stderr}");
        (error.kind, error.verdict, error.hint.is_some())
    };
    let of = |name: &str| failed(&transcript(&format!("06_{name}.stderr.txt")), Some(1));
    assert_eq!(of("no_provider_no_auth"), (ErrorKind::Authentication, Verdict::Surface, true));
    // It was made without a network: "Your token may still be valid. Check your network connection and try again."
    let (kind, verdict, hint) = of("no_provider_fake_token");
    assert!(kind == ErrorKind::Transport && matches!(verdict, Verdict::RetryAfter(_)) && hint, "{kind:?} {verdict:?}");
    let refused =
        failed("Error: Authentication token found but could not be validated.\n\n  401 Unauthorized", Some(1));
    assert_eq!(refused, (ErrorKind::Authentication, Verdict::Surface, true));
    assert_eq!(of("no_model"), (ErrorKind::InvalidRequest, Verdict::Surface, true));
    assert_eq!(of("offline_no_provider"), (ErrorKind::InvalidRequest, Verdict::Surface, true));
    assert_eq!(of("bad_flag"), (ErrorKind::Protocol, Verdict::Surface, true));
    assert_eq!(failed("", Some(1)), (ErrorKind::Sidecar, Verdict::Surface, false));
    assert_eq!(failed("", None), (ErrorKind::Sidecar, Verdict::RetryInFreshSession, false));
}

#[test]
fn what_it_cannot_do_is_refused_before_anything_starts() {
    let image = ImageBlock { media_type: "image/png".into(), source: ImageSource::Data(vec![1]) };
    let image = Message { role: Role::User, blocks: vec![Block::Image(image)] };
    let result = ToolResult { call_id: "c".into(), content: "x".into(), is_error: false };
    let result = Message { role: Role::User, blocks: vec![Block::ToolResult(result)] };
    let tool = Tool { name: "t".into(), description: String::new(), parameters: "{}".into() };
    let plain = TurnOptions::default;
    let cases = [
        (vec![user("hi")], TurnOptions { tools: vec![tool], ..plain() }),
        (vec![user("hi")], TurnOptions { system: Some("S".into()), ..plain() }),
        (vec![user("hi")], TurnOptions { provider_tools: vec!["bash".into()], ..plain() }),
        (
            vec![user("hi")],
            TurnOptions { sampling: Sampling { temperature: Some(0.5), ..Sampling::default() }, ..plain() },
        ),
        (vec![user("hi")], TurnOptions { output_schema: Some("{}".into()), ..plain() }),
        (vec![user("hi")], TurnOptions { reasoning_effort: Some(ReasoningEffort::Other("x".into())), ..plain() }),
        (vec![user("hi"), image], plain()),
        (vec![user("hi"), result], plain()),
    ];
    for (history, options) in cases {
        let mut rig = Rig::new(BYOK);
        let turn = rig.ask_in(1, history, options.clone());
        let error = rig.failed(turn).error;
        assert_eq!((error.kind, error.request_sent, error.hint.is_some()), (ErrorKind::Unsupported, false, true));
        assert!(rig.starts().is_empty(), "{options:?}");
    }
    let mut rig = Rig::new(GITHUB);
    let turn = rig.ask_in(1, vec![user("hi")], TurnOptions { max_output_tokens: Some(5), ..plain() });
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Unsupported);
    for (history, model) in
        [(vec![], "m"), (vec![user(" \n")], "m"), (vec![assistant("a")], "m"), (vec![user("a")], "--m")]
    {
        let turn = rig.ask_in(1, history, TurnOptions { model: Some(model.into()), ..plain() });
        assert_eq!(rig.failed(turn).error.kind, ErrorKind::InvalidRequest);
    }
    rig.give(Input::ListModels(1));
    rig.give(Input::ReadQuota(2));
    let refused = |effect: &&Effect| {
        matches!(effect, Effect::Catalog(CatalogEffect::Models(1, Err(_)) | CatalogEffect::Quota(2, Err(_))))
    };
    assert_eq!((rig.effects.iter().filter(refused).count(), rig.starts().len()), (2, 0));
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let with = |more: &str| AnyMode::configure(setup(&BYOK.replacen('{', &format!("{{{more},"), 1))).unwrap_err();
    assert!(with(r#""connection-token":{"secret":"key"}"#).message.contains("connection-token"));
    let headers = BYOK.replace(r#""provider":"#, r#""headers":{"x-a":"b"},"provider":"#);
    assert!(AnyMode::configure(setup(&headers)).unwrap_err().message.contains("headers"));
    let server = BYOK.replace("one-shot", "server");
    assert!(matches!(AnyMode::configure(setup(&server)).unwrap(), AnyMode::Server(_)));
    assert!(llm_provider_copilot::Copilot::configure(setup(BYOK)).is_err());
    assert!(llm_provider_copilot::OneShot::configure(setup(&server)).is_err());
}

/// S36, S37: one process for each turn, its session by name, its usage from the report.
#[test]
fn the_conversation_goes_on_under_its_name_and_costs_what_came_to_it() {
    let mut rig = Rig::new(BYOK);
    let output = transcript("06_json_stream_on.stdout.txt");
    let first = rig.ask(vec![user("one")]);
    rig.play(&output, 0, report(1, 101, 7));
    let name = rig.settings()["session-id"].clone();
    let usage = |turn: u64, rig: &Rig| {
        let Usage { model_calls, input_tokens, output_tokens, .. } = rig.finished(turn).usage;
        (model_calls, input_tokens, output_tokens)
    };
    assert_eq!((usage(first, &rig), rig.notices(first)), ((1, 101, 7), vec![NoticeKind::Opened]));
    let said = assistant("Hello there, world.");
    let second = rig.ask(vec![user("one"), said.clone(), user("two"), user("three")]);
    rig.play(&output, 0, report(3, 311, 20));
    assert_eq!(rig.settings()["session-id"], name);
    assert_eq!(rig.prompt(2), "two\n\nthree");
    assert_eq!((usage(second, &rig), rig.notices(second)), ((2, 210, 13), vec![NoticeKind::Continued]));
    let third = rig.ask(vec![user("ONE"), said, user("two")]);
    assert_ne!(rig.settings()["session-id"], name);
    rig.play(&output, 0, report(1, 101, 7));
    assert!(rig.prompt(3).contains(r#"{"role":"user","text":"ONE"}"#) && rig.prompt(3).ends_with("\n\ntwo"));
    assert_eq!((usage(third, &rig), rig.notices(third)), ((1, 101, 7), vec![NoticeKind::ReSeeded]));
}

#[test]
fn a_name_is_not_used_again_after_a_failure_a_cut_or_a_cancel() {
    let mut names = Vec::new();
    let mut rig = Rig::new(BYOK);
    for (output, code) in [("06_err_400", 1), ("06z_length", 0), ("06_tool_no_allow", 0), ("06_json_stream_on", 0)] {
        rig.ask(vec![user("q")]);
        names.push(rig.settings()["session-id"].clone());
        rig.play(&transcript(&format!("{output}.stdout.txt")), code, None);
        let text = rig.text(rig.next_turn - 1);
        rig.ask(vec![user("q"), assistant(&text), user("r")]);
        let name = rig.settings()["session-id"].clone();
        assert_eq!(names.contains(&name), output == "06_json_stream_on", "{output}");
        names.push(name);
        rig.give(Input::CancelTurn(rig.next_turn - 1));
        let (process, _) = rig.starts().pop().unwrap();
        rig.exited(process, Exit { signal: Some(9), ..Exit::default() });
    }
    rig.ask(vec![user("q"), assistant("Hello there, world."), user("r")]);
    assert!(!names.contains(&rig.settings()["session-id"]), "not after a cancel");
}

#[test]
fn a_cancelled_turn_ends_at_once_and_its_process_is_killed() {
    for started in [false, true] {
        let mut rig = Rig::new(BYOK);
        let turn = rig.ask(vec![user("one")]);
        if started {
            rig.started(1);
        }
        rig.give(Input::CancelTurn(turn));
        assert_eq!((rig.failed(turn).error.kind, rig.killed()), (ErrorKind::Cancelled, vec![1]));
        rig.started(1);
        rig.output(1, transcript("06_json_stream_on.stdout.txt").as_bytes());
        rig.exited(1, Exit { signal: Some(9), ..Exit::default() });
        assert_eq!(rig.prompt(1).is_empty(), !started, "nothing is written to what was killed");
    }
}

#[test]
fn four_processes_run_at_once_and_the_fifth_turn_waits() {
    let mut rig = Rig::new(BYOK);
    let turns: Vec<u64> = (2..8)
        .map(|session| {
            rig.give(Input::OpenSession(session));
            rig.ask_in(session, vec![user("hi")], TurnOptions::default())
        })
        .collect();
    assert_eq!(rig.starts().len(), 4);
    // A turn that waits can be cancelled, and costs nothing.
    rig.give(Input::CancelTurn(turns[4]));
    assert_eq!(rig.failed(turns[4]).error.kind, ErrorKind::Cancelled);
    rig.give(Input::SidecarFailed(SidecarFault { id: 1, message: "no room".into(), hint: None }));
    assert_eq!(rig.failed(turns[0]).error.kind, ErrorKind::Sidecar);
    assert_eq!(rig.starts().len(), 5);
    rig.play(&transcript("06_json_stream_on.stdout.txt"), 0, None);
    assert_eq!(rig.text(turns[5]), "Hello there, world.");
}

#[test]
fn silence_ends_a_turn_and_its_process() {
    let mut rig = Rig::new(BYOK);
    let options = TurnOptions { activity_timeout: Some(5_000), ..TurnOptions::default() };
    let turn = rig.ask_in(1, vec![user("hi")], options);
    rig.pass(60_000);
    assert!(rig.killed().is_empty(), "the host has its own deadlines for a start");
    rig.started(1);
    rig.pass(4_000);
    rig.output(1, b"{\"type\":\"model.call_start\",\"data\":{}}\n");
    rig.pass(4_000);
    assert!(rig.killed().is_empty());
    rig.pass(1_500);
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.request_sent, rig.killed()), (ErrorKind::Timeout, true, vec![1]));
}

#[test]
fn a_process_that_does_not_end_after_its_last_word_is_killed_and_the_answer_counts() {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("hi")]);
    rig.started(1);
    rig.output(1, transcript("06_json_stream_on.stdout.txt").as_bytes());
    rig.pass(9_000);
    assert!(!rig.monitor.ended(turn), "its usage is still to come");
    rig.pass(2_000);
    assert_eq!((rig.text(turn).as_str(), rig.killed()), ("Hello there, world.", vec![1]));
}

#[test]
fn an_end_without_a_result_and_lines_without_an_end_are_failures() {
    let output = transcript("06_json_stream_on.stdout.txt");
    let cut = output.split_at(output.find("\"world.\"").unwrap()).0;
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("hi")]);
    rig.play(cut, 1, None);
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::Sidecar, Verdict::RetryInFreshSession));
    assert!(error.request_sent && error.output_seen);
    // The last line counts without its line break.
    let turn = rig.ask(vec![user("hi")]);
    rig.play(output.trim_end(), 0, None);
    assert_eq!(rig.text(turn), "Hello there, world.");
    let turn = rig.ask(vec![user("hi")]);
    rig.started(3);
    rig.output(3, &vec![b'x'; 17 << 20]);
    assert_eq!((rig.failed(turn).error.kind, rig.killed()), (ErrorKind::Protocol, vec![3]));
    // Junk is passed over and told.
    rig.exited(3, Exit::default());
    let turn = rig.ask(vec![user("hi")]);
    rig.play(&format!("Welcome!\n[1,2]\n{{\"type\":\"future.event\",\"data\":{{}}}}\n{output}"), 0, None);
    assert_eq!(rig.text(turn), "Hello there, world.");
    assert!(rig.notices(turn).contains(&NoticeKind::UnknownEventIgnored));
}

#[test]
fn a_shutdown_ends_turns_and_processes_and_nothing_starts_after_it() {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("hi")]);
    rig.started(1);
    rig.give(Input::Shutdown);
    assert_eq!((rig.failed(turn).error.kind, rig.killed(), rig.timer), (ErrorKind::Cancelled, vec![1], None));
    rig.exited(1, Exit { signal: Some(9), ..Exit::default() });
    let turn = rig.ask(vec![user("hi")]);
    assert_eq!((rig.failed(turn).error.kind, rig.starts().len()), (ErrorKind::Sidecar, 1));
}

const OUTPUTS: [&str; 10] = [
    "06_json_stream_on",
    "06_json_stream_off",
    "06_anthropic",
    "06_err_401",
    "06_err_500",
    "06_refused",
    "06_tool_no_allow",
    "06z_cut_mid",
    "06z_filter",
    "06z_length",
];

/// The events of a turn whose process wrote in these pieces.
fn events(output: &[u8], mut cut: impl FnMut() -> usize) -> Vec<Event> {
    let mut rig = Rig::new(BYOK);
    let turn = rig.ask(vec![user("Say hi")]);
    rig.started(1);
    let mut rest = output;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cut().clamp(1, rest.len()));
        rig.output(1, piece);
        rest = after;
    }
    rig.exited(1, Exit { code: Some(0), report: report(1, 2, 3), ..Exit::default() });
    rig.events(turn)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_events(
        which in 0..OUTPUTS.len(),
        lengths in prop::collection::vec(1usize..2000, 1..40),
    ) {
        let output = transcript(&format!("{}.stdout.txt", OUTPUTS[which]));
        let mut next = lengths.iter().cycle();
        let whole = events(output.as_bytes(), || usize::MAX);
        prop_assert_eq!(&whole, &events(output.as_bytes(), || *next.next().unwrap()));
        prop_assert_eq!(&whole, &events(output.as_bytes(), || 7));
    }

    #[test]
    fn no_output_breaks_the_contract(lines in prop::collection::vec(any_line(), 0..30), code in 0i32..3) {
        let output: String = lines.concat();
        let events = events(output.as_bytes(), || 50);
        prop_assert!(matches!(events.last(), Some(Event::Finished(_) | Event::Failed(_))), "{code}");
    }
}

fn any_line() -> impl Strategy<Value = String> {
    let kinds = prop::sample::select(vec![
        "assistant.message_delta",
        "assistant.reasoning_delta",
        "assistant.message",
        "assistant.turn_start",
        "assistant.turn_end",
        "assistant.turn_retry",
        "model.call_failure",
        "session.error",
        "session.truncation",
        "result",
        "future.event",
    ]);
    let id = prop::sample::select(vec!["a", "b"]);
    let text = prop::sample::select(vec!["", "x", "xy", "zz"]);
    (kinds, id, text, 0i32..2, 0u8..12).prop_map(|(kind, id, text, code, odd)| {
        let data = serde_json::json!({
            "messageId": id, "deltaContent": text, "content": text, "reasoningId": id, "reasoningText": text,
            "toolRequests": [], "statusCode": if text == "x" { 401 } else { 500 }, "errorType": "query", "message": text,
        });
        let line = serde_json::json!({"type": kind, "data": data, "exitCode": code}).to_string();
        match odd {
            0 => format!("{}\n", &line[..line.len() / 2]),
            1 => "\n".to_owned(),
            _ => format!("{line}\n"),
        }
    })
}
