//! Transcripts of the real CLI run through the plugin's core.

mod rig;

use llm_provider_copilot::Effect;
use llm_provider_guest::effects::{EventEffect, TimerEffect};
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::events::{Event, NoticeKind};
use llm_provider_guest::types::{Block, FinishReason};
use proptest::prelude::*;
use rig::replay::{Replay, play};
use rig::{BYOK, GITHUB};

fn whole(name: &str) -> Replay {
    play(name, BYOK, &mut |left| left)
}

/// Every transcript with the text of its turns; `None` for one that fails.
const TRANSCRIPTS: &[(&str, &[Option<&str>])] = &[
    ("02a_byok_one_turn_streaming", &[Some("Hello there, world.")]),
    ("02b_byok_three_turns_anthropic", &[Some("One."), Some("Two."), Some("Three.")]),
    ("02b_byok_three_turns_chat", &[Some("One."), Some("Two."), Some("Three.")]),
    ("02b_byok_three_turns_responses", &[Some("One."), Some("Two."), Some("Three.")]),
    ("02d_custom_tool_skip_permission", &[Some("Sunny.")]),
    ("02f_parallel_tools", &[Some("Both.")]),
    ("02r_content_filter", &[Some(""), Some("OK from stub.")]),
    ("02r_empty_content", &[None, Some("OK from stub.")]),
    ("02r_err_400", &[None, Some("OK from stub.")]),
    ("02r_err_403", &[None, Some("OK from stub.")]),
    ("02r_err_404", &[None, Some("OK from stub.")]),
    ("02r_err_413", &[None, Some("OK from stub.")]),
    ("02r_err_500", &[None, Some("OK from stub.")]),
    ("02r_sse_garbage", &[None, Some("OK from stub.")]),
    ("12a_streaming_false", &[Some("OK from stub.")]),
    ("02z_length", &[Some("part one part two part three")]),
    ("02z_length3", &[Some("A B C ")]),
    ("02z_length_think", &[Some("A B")]),
    ("02z_reset_mid", &[Some("whole answer")]),
    ("02z_cut_mid", &[Some("whole2 answer")]),
    ("02z_filter_partial", &[Some("some text ")]),
    ("02z_text_then_tool", &[Some("Let me look. Done."), Some("OK from stub.")]),
];

#[test]
fn every_transcript_gives_its_text_once() {
    for (name, texts) in TRANSCRIPTS {
        let replay = whole(name);
        let got: Vec<Option<String>> = replay
            .turns
            .iter()
            .map(|turn| match replay.rig.events(*turn).last() {
                Some(Event::Finished(_)) => Some(replay.rig.text(*turn)),
                Some(Event::Failed(_)) => None,
                other => panic!("{name}: turn {turn} ends with {other:?}"),
            })
            .collect();
        let got: Vec<Option<&str>> = got.iter().map(Option::as_deref).collect();
        assert_eq!(got, *texts, "{name}");
    }
}

#[test]
fn unknown_events_are_rare_in_what_the_real_cli_writes() {
    for (name, _) in TRANSCRIPTS {
        let replay = whole(name);
        for turn in &replay.turns {
            let unknown = replay.rig.notices(*turn).contains(&NoticeKind::UnknownEventIgnored);
            assert!(!unknown, "{name}: {:?}", replay.rig.events(*turn));
        }
    }
}

#[test]
fn three_turns_are_one_session_and_each_prompt_goes_alone() {
    let replay = whole("02b_byok_three_turns_chat");
    let methods = replay.rig.methods();
    assert_eq!(
        methods,
        ["connect", "session.create", "session.options.update", "session.send", "session.send", "session.send"]
    );
    let prompts: Vec<&str> = replay
        .rig
        .all_asked
        .iter()
        .filter(|asked| asked.method == "session.send")
        .map(|asked| asked.params["prompt"].as_str().unwrap())
        .collect();
    assert_eq!(prompts, ["first prompt", "second prompt", "third prompt"]);
    let first = replay.answer(0);
    assert!(matches!(&first[0], Block::Thinking(thinking) if thinking.text == "thinking hard"), "{first:?}");
    assert!(matches!(&first[1], Block::Text(text) if text.text == "One."));
    let usage = replay.rig.finished(replay.turns[0]).usage;
    assert_eq!((usage.model_calls, usage.input_tokens, usage.output_tokens), (1, 101, 7));
    assert_eq!((usage.cache_read_tokens, usage.reasoning_tokens), (40, 3));
}

#[test]
fn an_abort_ends_the_turn_at_once_and_nothing_late_reaches_the_next() {
    let replay = whole("02n_abort_mid_stream");
    assert_eq!(replay.rig.failed(replay.turns[0]).error.kind, ErrorKind::Cancelled);
    assert!(replay.rig.failed(replay.turns[0]).error.output_seen);
    assert_eq!(replay.rig.text(replay.turns[1]), "after abort");
    let creates: Vec<_> = replay.rig.all_asked.iter().filter(|asked| asked.method == "session.create").collect();
    assert_eq!(creates.len(), 2);
    assert_ne!(creates[0].params["sessionId"], creates[1].params["sessionId"]);
}

#[test]
fn a_retry_in_mid_stream_abandons_the_attempt() {
    for name in ["02z_reset_mid", "02z_cut_mid"] {
        let replay = whole(name);
        let events = replay.rig.events(replay.turns[0]);
        assert_eq!(events.iter().filter(|event| matches!(event, Event::AttemptAbandoned(_))).count(), 1, "{name}");
        assert!(replay.rig.notices(replay.turns[0]).contains(&NoticeKind::ProviderRetry));
    }
}

#[test]
fn an_answer_cut_by_its_limit_says_so_only_when_it_stays_cut() {
    let reason = |name| whole(name).rig.finished(1).reason;
    assert_eq!(reason("02z_length"), FinishReason::Stop);
    assert_eq!(reason("02z_length3"), FinishReason::Length);
    assert_eq!(reason("02z_filter_partial"), FinishReason::ContentFilter);
    assert_eq!(reason("02r_content_filter"), FinishReason::ContentFilter);
    assert_eq!(whole("02z_length").answer(0).len(), 1, "one text");
}

#[test]
fn tools_run_once_each_and_their_answers_go_back() {
    let replay = whole("02f_parallel_tools");
    let calls: Vec<&str> = replay.rig.invoked.iter().map(|(_, call)| call.id.as_str()).collect();
    assert_eq!(calls, ["call_a", "call_b", "call_c"]);
    let answers: Vec<_> = replay
        .rig
        .all_asked
        .iter()
        .filter(|asked| asked.method == "session.tools.handlePendingToolCall")
        .map(|asked| asked.params["result"].clone())
        .collect();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[1]["resultType"], "failure");
    assert_eq!(answers[1]["textResultForLlm"], "nope");
    assert!(
        replay
            .answer(0)
            .iter()
            .any(|block| matches!(block, Block::ToolCall(call) if call.arguments == "{\"city\": \"Oslo\"}"))
    );
}

#[test]
fn failures_mean_what_the_protocol_says() {
    let failed = |name: &str| {
        let error = whole(name).rig.failed(1).error;
        assert!(error.request_sent);
        (error.kind, error.http_status, error.verdict)
    };
    assert_eq!(failed("02r_err_400"), (ErrorKind::InvalidRequest, Some(400), Verdict::Surface));
    assert_eq!(failed("02r_err_401"), (ErrorKind::Authentication, Some(401), Verdict::Surface));
    assert_eq!(failed("02r_anthropic_401"), (ErrorKind::Authentication, Some(401), Verdict::Surface));
    assert_eq!(failed("02r_err_403"), (ErrorKind::Permission, Some(403), Verdict::Surface));
    assert_eq!(failed("02r_err_404"), (ErrorKind::NotFound, Some(404), Verdict::SwitchModel));
    assert_eq!(failed("02r_err_413"), (ErrorKind::ContextLength, Some(413), Verdict::Compact));
    assert_eq!(failed("02r_err_context_length"), (ErrorKind::ContextLength, Some(400), Verdict::Compact));
    assert_eq!(failed("02r_err_429_insufficient_quota"), (ErrorKind::Quota, Some(429), Verdict::Surface));
    assert_eq!(failed("02r_err_429_no_retry_after"), (ErrorKind::RateLimit, Some(429), Verdict::RetryAfter(30_000)));
    assert_eq!(failed("02r_err_500"), (ErrorKind::Internal, Some(500), Verdict::RetryAfter(500)));
    assert_eq!(failed("02r_responses_500"), (ErrorKind::Internal, Some(500), Verdict::RetryAfter(500)));
    assert_eq!(failed("02r_err_503"), (ErrorKind::Overloaded, Some(503), Verdict::RetryAfter(2_000)));
    assert_eq!(failed("02r_err_503_html"), (ErrorKind::Overloaded, Some(503), Verdict::RetryAfter(2_000)));
    for name in [
        "sse_garbage",
        "sse_html",
        "sse_empty",
        "sse_done_only",
        "reset_before_headers",
        "connection_refused",
        "dns_failure",
    ] {
        let name = format!("02r_{name}");
        assert_eq!(failed(&name), (ErrorKind::Transport, None, Verdict::RetryAfter(500)), "{name}");
    }
    assert_eq!(failed("02r_empty_content"), (ErrorKind::Internal, None, Verdict::RetryNow));
}

#[test]
fn a_refused_key_is_not_tried_again() {
    let replay = whole("02r_err_401");
    assert!(!replay.rig.notices(1).contains(&NoticeKind::ProviderRetry));
    assert!(replay.rig.methods().contains(&"session.abort"));
    let replay = play("02r_err_401", GITHUB, &mut |left| left);
    assert!(replay.rig.notices(1).contains(&NoticeKind::ProviderRetry));
}

#[test]
fn a_shortened_conversation_is_not_gone_on_with() {
    let replay = whole("12g_compaction");
    let noticed = |turn: &u64| replay.rig.notices(*turn).contains(&NoticeKind::Other("compaction".into()));
    assert!(replay.turns.iter().any(noticed));
}

#[test]
fn an_old_cli_without_connect_works() {
    let mut rig = rig::Rig::new(BYOK);
    let turn = rig.ask(vec![rig::user("w?")]);
    rig.started();
    rig.refuse("connect", -32601, "Unhandled method connect");
    rig.answer("ping", serde_json::json!({"message": "pong: ", "timestamp": 1, "protocolVersion": 3}));
    rig.answer("session.create", serde_json::json!({"sessionId": "x"}));
    rig.refuse("session.options.update", -32601, "Unhandled method session.options.update");
    let id = rig.prompt_taken();
    let name = rig.all_asked.last().unwrap().params["sessionId"].as_str().unwrap().to_owned();
    rig.event(&name, "user.message", serde_json::json!({"content": "w?"}));
    rig.event(
        &name,
        "assistant.message",
        serde_json::json!({"messageId": "m", "content": "Sunny.", "toolRequests": []}),
    );
    rig.event(&name, "session.idle", serde_json::json!({}));
    assert_eq!((rig.text(turn).as_str(), id.is_empty()), ("Sunny.", false));
}

/// Effects without timers, whose number depends on how often the plugin was called.
fn told(replay: &Replay) -> Vec<&EventEffect> {
    replay
        .rig
        .effects
        .iter()
        .filter_map(|effect| if let Effect::Event(event) = effect { Some(event) } else { None })
        .collect()
}

fn others(replay: &Replay) -> Vec<&Effect> {
    let other = |effect: &&Effect| !matches!(effect, Effect::Event(_) | Effect::Timer(TimerEffect::Set(..)));
    replay.rig.effects.iter().filter(other).collect()
}

#[test]
fn one_byte_at_a_time_gives_the_same_effects() {
    for (name, _) in TRANSCRIPTS {
        let whole = whole(name);
        let bytes = play(name, BYOK, &mut |_| 1);
        assert_eq!(told(&whole), told(&bytes), "{name}");
        assert_eq!(others(&whole), others(&bytes), "{name}");
        assert_eq!(whole.rig.effects, bytes.rig.effects, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_effects(
        which in 0..TRANSCRIPTS.len(),
        lengths in prop::collection::vec(1usize..3000, 1..40),
    ) {
        let name = TRANSCRIPTS[which].0;
        let mut next = lengths.iter().cycle();
        let cut = play(name, BYOK, &mut |_| *next.next().unwrap());
        prop_assert_eq!(&whole(name).rig.effects, &cut.rig.effects);
    }
}
