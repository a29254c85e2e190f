//! What is read.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_anthropic::Answer;
use llm_provider_core::classify::Fault;
use llm_provider_core::completion::{Piece, Reader};
use llm_provider_core::turn::Kind;
use llm_provider_guest::types::{FinishReason, Usage};
use proptest::prelude::*;
use rig::{pieces, read, stream};
use serde_json::{Value, json};

const TOOLS_AND_THINKING: &str = include_str!("fixtures/tools_and_thinking.sse");
/// What host/model-server writes for thinking, a text and a call.
const MODEL_SERVER: &str = include_str!("fixtures/model_server.sse");

fn delta(key: u64, text: &str) -> Piece {
    Piece::Delta(key, text.into())
}

fn call(key: u64, id: &str, name: &str) -> Piece {
    Piece::Open(key, Kind::ToolCall { id: id.into(), name: name.into() })
}

fn usage(input: u64, output: u64, thinking: u64, read: u64, write: u64) -> Piece {
    Piece::Usage(Usage {
        model_calls: 1,
        input_tokens: input,
        output_tokens: output,
        reasoning_tokens: thinking,
        cache_read_tokens: read,
        cache_write_tokens: write,
        premium_requests: 0.0,
    })
}

#[test]
fn thinking_text_and_calls() {
    let want = [
        Piece::Model("claude-sonnet-4-6".into()),
        usage(4_320, 1, 0, 4_000, 300),
        Piece::Open(0, Kind::Thinking),
        delta(0, "I need the weather — "),
        delta(0, "in 東京 🌧."),
        Piece::Close(0, Some("anthropic/thinking:EqQBCgIYAhIM".into())),
        Piece::Open(1, Kind::Thinking),
        Piece::Close(1, Some("anthropic/redacted-thinking:EmwKAhgBEgy3".into())),
        Piece::Open(2, Kind::Text),
        delta(2, "Let me look"),
        Piece::Close(2, None),
        call(3, "toolu_01", "get_weather"),
        delta(3, r#"{"location": "東"#),
        delta(3, r#"京"}"#),
        Piece::Close(3, None),
        call(4, "toolu_02", "now"),
        delta(4, "{}"),
        Piece::Close(4, None),
        usage(4_320, 89, 33, 4_000, 300),
        Piece::Stopped(FinishReason::ToolCalls),
    ];
    assert_eq!(pieces(TOOLS_AND_THINKING), want);
}

#[test]
fn what_this_projects_own_server_writes() {
    let want = [
        Piece::Model("m".into()),
        usage(10, 1, 0, 3, 2),
        Piece::Open(0, Kind::Thinking),
        delta(0, "hard"),
        Piece::Close(0, Some("anthropic/thinking:SIG-STUB".into())),
        Piece::Open(1, Kind::Text),
        delta(1, "One."),
        Piece::Close(1, None),
        call(2, "call_1", "add"),
        delta(2, r#"{"a":1}"#),
        Piece::Close(2, None),
        usage(10, 7, 0, 3, 2),
        Piece::Stopped(FinishReason::ToolCalls),
    ];
    assert_eq!(pieces(MODEL_SERVER), want);
}

#[test]
fn a_whole_answer() {
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "SIG"},
            {"type": "text", "text": "One."},
            {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": [1, 2]}},
            {"type": "tool_use", "id": "c2", "name": "add", "input": "{oops"},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        ],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 5, "output_tokens": 7},
    });
    let (mut reader, mut out) = (Answer::default(), Vec::new());
    reader.whole(&body.to_string(), &mut out).unwrap();
    reader.end(&mut out).unwrap();
    let want = [
        Piece::Model("m".into()),
        usage(5, 7, 0, 0, 0),
        Piece::Open(0, Kind::Thinking),
        delta(0, "hm"),
        Piece::Close(0, Some("anthropic/thinking:SIG".into())),
        Piece::Open(1, Kind::Text),
        delta(1, "One."),
        Piece::Close(1, None),
        call(2, "c1", "add"),
        delta(2, r#"{"a":[1,2]}"#),
        Piece::Close(2, None),
        call(3, "c2", "add"),
        delta(3, "{oops"),
        Piece::Close(3, None),
        Piece::Unknown,
        Piece::Stopped(FinishReason::Stop),
    ];
    assert_eq!(out, want);
}

#[test]
fn a_whole_body_that_is_no_answer() {
    let whole = |body: &str| Answer::default().whole(body, &mut Vec::new());
    assert_eq!(whole("<html>").unwrap_err().fault, Fault::Protocol);
    let report = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    assert_eq!(whole(&report.to_string()).unwrap_err().code.as_deref(), Some("overloaded_error"));
    let mut reader = Answer::default();
    reader.whole(r#"{"content": null}"#, &mut Vec::new()).unwrap();
    assert_eq!(reader.end(&mut Vec::new()).unwrap_err().fault, Fault::Transport);
}

fn stopped(reason: Value) -> Option<Piece> {
    let events = [json!({"type": "message_delta", "delta": {"stop_reason": reason}}), json!({"type": "message_stop"})];
    pieces(&stream(&events)).pop()
}

#[test]
fn why_the_model_stopped() {
    let table = [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("tool_use", FinishReason::ToolCalls),
        ("refusal", FinishReason::ContentFilter),
        ("pause_turn", FinishReason::Other("pause_turn".into())),
        ("of_the_future", FinishReason::Other("of_the_future".into())),
    ];
    for (word, want) in table {
        assert_eq!(stopped(json!(word)), Some(Piece::Stopped(want)), "{word}");
    }
    assert_eq!(stopped(Value::Null), Some(Piece::Stopped(FinishReason::Stop)));
}

#[test]
fn a_stream_that_ends_early() {
    let end = TOOLS_AND_THINKING.find("event: message_delta").unwrap();
    for cut in ["", ": comment\n\n", &TOOLS_AND_THINKING[..end]] {
        let failure = read([cut.as_bytes()]).1.unwrap();
        assert_eq!(
            (failure.fault, failure.message.as_str()),
            (Fault::Transport, "the stream ended before the answer did")
        );
    }
    // Whoever has the reason has the answer; the last blank line may be missing too.
    let end = TOOLS_AND_THINKING.find("event: message_stop").unwrap();
    assert!(read([&TOOLS_AND_THINKING.as_bytes()[..end]]).1.is_none());
    assert!(read([TOOLS_AND_THINKING.trim_end().as_bytes()]).1.is_none());
}

#[test]
fn failures_within_a_stream() {
    let error = |kind: &str| {
        let report = json!({"type": "error", "error": {"type": kind, "message": "told"}, "request_id": "req_1"});
        read([stream(&[json!({"type": "ping"}), report]).as_bytes()]).1.unwrap()
    };
    let overloaded = error("overloaded_error");
    assert_eq!((overloaded.fault, overloaded.code.as_deref()), (Fault::Provider, Some("overloaded_error")));
    assert_eq!(overloaded.request_id.as_deref(), Some("req_1"));
    assert_eq!(overloaded.message, "the Messages API broke its answer off: told");
    assert_eq!(error("invalid_request_error").fault, Fault::Invalid);
    for broken in
        ["data: {\n\n", "event: error\ndata: {}\n\n", "data: {\"type\":\"content_block_start\",\"index\":0}\n\n"]
    {
        assert_eq!(read([broken.as_bytes()]).1.unwrap().fault, Fault::Protocol, "{broken}");
    }
}

#[test]
fn what_is_not_known_is_ignored() {
    let start =
        |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let more = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let events = [
        json!({"type": "of_the_future", "delta": "text"}),
        start(0, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
        more(0, json!({"type": "input_json_delta", "partial_json": "{}"})),
        json!({"type": "content_block_stop", "index": 0}),
        start(1, json!({"type": "text", "text": "a"})),
        more(1, json!({"type": "of_the_future_delta", "x": 1})),
        more(9, json!({"type": "text_delta", "text": "lost"})),
        // A service that gives every block the same index, and does not end the first.
        start(1, json!({"type": "text", "text": "b"})),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": null}),
        json!({"type": "message_stop"}),
    ];
    let want = [
        Piece::Unknown,
        Piece::Unknown,
        Piece::Open(1, Kind::Text),
        delta(1, "a"),
        Piece::Unknown,
        Piece::Unknown,
        Piece::Close(1, None),
        Piece::Open(2, Kind::Text),
        delta(2, "b"),
        Piece::Close(2, None),
        Piece::Stopped(FinishReason::Stop),
    ];
    assert_eq!(pieces(&stream(&events)), want);
    // Events without a type are known by their name.
    assert_eq!(
        pieces("event: ping\ndata: {}\n\nevent: message_stop\ndata: {}\n\n"),
        [Piece::Stopped(FinishReason::Stop)]
    );
}

fn any_event() -> impl Strategy<Value = String> {
    let kinds = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"];
    let parts = [
        r#""index":0"#,
        r#""index":1"#,
        r#""delta":{"type":"text_delta","text":"a"}"#,
        r#""delta":{"partial_json":"{","signature":"s","thinking":"t"}"#,
        r#""content_block":{"type":"tool_use","input":{"a":1}}"#,
        r#""content_block":{"type":"redacted_thinking"}"#,
        r#""content_block":{"type":"text","text":"é"}"#,
        r#""message":{"usage":{"input_tokens":18446744073709551615,"cache_read_input_tokens":1}}"#,
        r#""delta":{"stop_reason":"tool_use"}"#,
        r#""error":{"type":"x"}"#,
        r#""usage":{"output_tokens":-1}"#,
    ];
    let written = (prop::sample::select(kinds.to_vec()), prop::sample::subsequence(parts.to_vec(), 0..5)).prop_map(
        |(kind, parts)| format!("data: {{\"type\":\"{kind}\",{}}}\n\n", [&["\"x\":0"], &parts[..]].concat().join(",")),
    );
    prop_oneof![6 => written, 1 => "[ -~\n]{0,30}"]
}

proptest! {
    #[test]
    fn any_cut_of_a_stream_gives_the_same_pieces(cuts in prop::collection::vec(1usize..60, 1..30)) {
        for stream in [TOOLS_AND_THINKING, MODEL_SERVER] {
            let mut chunks = Vec::new();
            let mut rest = stream.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            prop_assert_eq!(read(chunks).0, pieces(stream));
        }
    }

    /// Whatever comes: no panic, every block begun once, grown and closed only while it is open.
    #[test]
    fn any_stream_gives_blocks_in_order(events in prop::collection::vec(any_event(), 0..20)) {
        let stream = events.concat();
        let (told, _) = read([stream.as_bytes()]);
        prop_assert_eq!(&told, &read(stream.as_bytes().chunks(3)).0);
        let (mut begun, mut open) = (0, Vec::new());
        for piece in told {
            match piece {
                Piece::Open(key, _) => {
                    prop_assert_eq!(key, begun);
                    begun += 1;
                    open.push(key);
                }
                Piece::Delta(key, text) => prop_assert!(open.contains(&key) && !text.is_empty()),
                Piece::Close(key, _) => {
                    prop_assert!(open.contains(&key));
                    open.retain(|other| *other != key);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(name in ".{0,20}", data in ".{0,80}") {
        let _ = Answer::default().event(&name, &data, &mut Vec::new());
        let _ = Answer::default().whole(&data, &mut Vec::new());
    }
}

/// Legal JSON, of which no Rust string can be made.
#[test]
fn half_a_character_does_not_cost_the_answer() {
    let written = r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\ud83d"}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ude00b"}}

data: {"type":"content_block_stop","index":0}

data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}

"#;
    let told = |pieces: &[Piece]| -> String {
        pieces
            .iter()
            .filter_map(|piece| if let Piece::Delta(_, text) = piece { Some(text.as_str()) } else { None })
            .collect()
    };
    assert_eq!(told(&pieces(written)), "a\u{fffd}\u{fffd}b");
    let mut out = Vec::new();
    let body = r#"{"type":"message","content":[{"type":"text","text":"a\udc00"}],"stop_reason":"end_turn"}"#;
    Answer::default().whole(body, &mut out).unwrap();
    assert_eq!(told(&out), "a\u{fffd}");
}
