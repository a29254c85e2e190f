//! What is read.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_core::classify::Fault;
use llm_provider_core::completion::{Piece, Reader};
use llm_provider_core::turn::Kind;
use llm_provider_gemini::Answer;
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::types::{FinishReason, Usage};
use proptest::prelude::*;
use rig::{parts, pieces, read, stop, stream};
use serde_json::{Value, json};

const CALLS: &str = include_str!("fixtures/thinking_and_calls.sse");
const SIGNED_TEXT: &str = include_str!("fixtures/signed_text.sse");

fn delta(key: u64, text: &str) -> Piece {
    Piece::Delta(key, text.into())
}

fn call(key: u64, id: &str, name: &str) -> Piece {
    Piece::Open(key, Kind::ToolCall { id: id.into(), name: name.into() })
}

fn usage(input: u64, output: u64, thinking: u64, read: u64) -> Piece {
    Piece::Usage(Usage {
        model_calls: 1,
        input_tokens: input,
        output_tokens: output,
        reasoning_tokens: thinking,
        cache_read_tokens: read,
        ..Usage::default()
    })
}

#[test]
fn thoughts_texts_and_calls() {
    let want = [
        Piece::Name("r4Nd0m".into()),
        Piece::Model("gemini-3-flash".into()),
        usage(120, 31, 31, 100),
        Piece::Open(0, Kind::Thinking),
        delta(0, "**Planning**\n\nBoth cities — "),
        usage(120, 40, 40, 100),
        delta(0, "東京 🌧 first."),
        Piece::Close(0, None),
        Piece::Open(1, Kind::Text),
        delta(1, "Let me"),
        delta(1, " look."),
        usage(120, 65, 40, 100),
        Piece::Close(1, None),
        Piece::Open(2, Kind::Thinking),
        Piece::Close(2, Some("gemini/call:CallSigA==".into())),
        call(3, "fc_1", "get_weather"),
        delta(3, r#"{"city": "東京","days":  [1, 2]}"#),
        Piece::Close(3, None),
        call(4, "", "now"),
        delta(4, "{}"),
        Piece::Close(4, None),
        usage(120, 67, 40, 100),
        Piece::Stopped(FinishReason::ToolCalls),
    ];
    assert_eq!(pieces(CALLS), want);
}

#[test]
fn a_signature_at_the_end_stands_alone() {
    let told = pieces(SIGNED_TEXT);
    let want = [
        delta(0, " is 4."),
        usage(9, 71, 66, 0),
        Piece::Close(0, None),
        Piece::Open(1, Kind::Thinking),
        Piece::Close(1, Some("gemini/empty:EndSig".into())),
        Piece::Stopped(FinishReason::Stop),
    ];
    assert_eq!(told.get(told.len() - want.len()..).unwrap(), want);
}

/// The pieces of these parts, without why they stopped.
fn blocks(said: Value) -> Vec<Piece> {
    let mut told = pieces(&stream(&[parts(said), stop("STOP")]));
    assert!(matches!(told.pop(), Some(Piece::Stopped(_))));
    told
}

#[test]
fn signed_parts_are_blocks_of_their_own() {
    let told = blocks(json!([
        {"text": "a", "thoughtSignature": "S1"}, {"text": "b"}, {"text": "c", "thoughtSignature": "S2"}, {"text": "d"},
    ]));
    let want = [
        Piece::Open(0, Kind::Thinking),
        Piece::Close(0, Some("gemini/text:S1".into())),
        Piece::Open(1, Kind::Text),
        delta(1, "a"),
        Piece::Close(1, None),
        Piece::Open(2, Kind::Text),
        delta(2, "b"),
        Piece::Close(2, None),
        Piece::Open(3, Kind::Thinking),
        Piece::Close(3, Some("gemini/text:S2".into())),
        Piece::Open(4, Kind::Text),
        delta(4, "c"),
        Piece::Close(4, None),
        Piece::Open(5, Kind::Text),
        delta(5, "d"),
        Piece::Close(5, None),
    ];
    assert_eq!(told, want);
    let thought = blocks(json!([
        {"text": "a", "thought": true}, {"text": "", "thought": true, "thoughtSignature": "T"},
        {"text": "b", "thought": true},
    ]));
    let want = [
        Piece::Open(0, Kind::Thinking),
        delta(0, "a"),
        Piece::Close(0, Some("gemini/thought:T".into())),
        Piece::Open(1, Kind::Thinking),
        delta(1, "b"),
        Piece::Close(1, None),
    ];
    assert_eq!(thought, want);
}

#[test]
fn a_signature_is_no_answer_by_itself() {
    assert_eq!(blocks(json!([{"text": "", "thoughtSignature": "S"}, {"text": ""}])), []);
    let later = blocks(json!([{"thoughtSignature": "S"}, {"text": "a"}]));
    assert_eq!(later.get(1), Some(&Piece::Close(0, Some("gemini/empty:S".into()))));
    assert_eq!(later.len(), 5);
}

#[test]
fn what_is_not_known_is_ignored() {
    let told = blocks(json!([
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "S"},
        {"executableCode": {"language": "PYTHON", "code": "1"}}, {"ofTheFuture": 1}, {"text": "a"},
    ]));
    assert_eq!(told.iter().filter(|piece| **piece == Piece::Unknown).count(), 3);
    assert_eq!(told.len(), 6);
    let more = [json!({}), json!({"ofTheFuture": 1}), parts(json!([{"text": "a"}])), stop("STOP")];
    assert_eq!(pieces(&stream(&more)).iter().filter(|piece| **piece == Piece::Unknown).count(), 2);
    // Another candidate than the one that was asked for.
    let two = json!({"candidates": [{"finishReason": "STOP"}, {"content": {"parts": [{"text": "b"}]}}]});
    assert_eq!(pieces(&stream(&[two])), [Piece::Stopped(FinishReason::Stop)]);
}

#[test]
fn a_whole_answer_alone_or_in_a_list() {
    let one = json!({
        "candidates": [{"content": {"parts": [{"text": "a"}], "role": "model"}, "finishReason": "MAX_TOKENS"}],
        "usageMetadata": {"promptTokenCount": 2, "toolUsePromptTokenCount": 3, "candidatesTokenCount": 1},
        "modelVersion": "m",
    });
    let whole = |body: &str| {
        let (mut reader, mut out) = (Answer::default(), Vec::new());
        let read = reader.whole(body, &mut out).and_then(|()| reader.end(&mut out));
        read.map(|()| out)
    };
    let want = [
        Piece::Model("m".into()),
        usage(5, 1, 0, 0),
        Piece::Open(0, Kind::Text),
        delta(0, "a"),
        Piece::Close(0, None),
        Piece::Stopped(FinishReason::Length),
    ];
    assert_eq!(whole(&one.to_string()).unwrap(), want);
    let list = json!([parts(json!([{"text": "a"}])), parts(json!([{"text": "b"}])), stop("STOP")]);
    let want = [
        Piece::Open(0, Kind::Text),
        delta(0, "a"),
        delta(0, "b"),
        Piece::Close(0, None),
        Piece::Stopped(FinishReason::Stop),
    ];
    assert_eq!(whole(&list.to_string()).unwrap(), want);
    for (body, fault) in [
        ("<html>", Fault::Protocol),
        ("", Fault::Protocol),
        ("[]", Fault::Transport),
        (r#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#, Fault::Provider),
    ] {
        assert_eq!(whole(body).unwrap_err().fault, fault, "{body}");
    }
}

#[test]
fn why_the_model_stopped() {
    let filtered = ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"];
    let table = [("STOP", FinishReason::Stop), ("MAX_TOKENS", FinishReason::Length)]
        .into_iter()
        .chain(filtered.map(|word| (word, FinishReason::ContentFilter)))
        .chain(["OTHER", "LANGUAGE", "OF_THE_FUTURE"].map(|word| (word, FinishReason::Other(word.into()))));
    for (word, want) in table {
        let told = pieces(&stream(&[parts(json!([{"text": "a"}])), stop(word)]));
        assert_eq!(told.last(), Some(&Piece::Stopped(want)), "{word}");
    }
    // Models that say it with every chunk.
    let each = |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]});
    let told = pieces(&stream(&[each("a"), each("b")]));
    assert_eq!(told.len(), 5);
    assert_eq!(told.last(), Some(&Piece::Stopped(FinishReason::Stop)));
    let unspecified = [parts(json!([{"text": "a"}])), stop("FINISH_REASON_UNSPECIFIED")];
    assert_eq!(read([stream(&unspecified).as_bytes()]).1.unwrap().fault, Fault::Transport);
}

#[test]
fn an_answer_that_the_service_calls_broken_may_be_asked_for_again() {
    let end = json!({"responseId": "r", "candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL",
        "finishMessage": "Malformed function call: print(add("}]});
    let (told, failure) = read([stream(&[end]).as_bytes()]);
    assert_eq!(told, [Piece::Name("r".into())]);
    let error = failure.unwrap().error();
    assert_eq!((error.kind, error.verdict), (ErrorKind::Internal, Verdict::RetryNow));
    assert_eq!(error.provider_code.as_deref(), Some("MALFORMED_FUNCTION_CALL"));
    assert!(error.message.ends_with("(MALFORMED_FUNCTION_CALL): Malformed function call: print(add("));
}

#[test]
fn a_blocked_prompt() {
    let blocked = |reason: &str| {
        let feedback = json!({"promptFeedback": {"blockReason": reason, "safetyRatings": []},
            "usageMetadata": {"promptTokenCount": 7}});
        let (told, failure) = read([stream(&[feedback]).as_bytes()]);
        assert_eq!(told, [usage(7, 0, 0, 0)]);
        failure.unwrap().error()
    };
    for (reason, code) in [
        ("PROHIBITED_CONTENT", "PROHIBITED_CONTENT"),
        ("SAFETY", "SAFETY"),
        ("OTHER", "content_filter"),
        ("OF_THE_FUTURE", "content_filter"),
    ] {
        let error = blocked(reason);
        assert_eq!((error.kind, error.verdict), (ErrorKind::ContentFilter, Verdict::Surface), "{reason}");
        assert_eq!(error.provider_code.as_deref(), Some(code));
        assert_eq!(error.message, format!("the Gemini API blocked the prompt ({reason})"));
    }
}

#[test]
fn a_stream_that_ends_early_or_breaks() {
    let end = CALLS.find(r#"data: {"candidates": [{"content": {"parts": [{"text": ""}]"#).unwrap();
    for cut in ["", ": comment\n\n", CALLS.get(..end).unwrap()] {
        let failure = read([cut.as_bytes()]).1.unwrap();
        assert_eq!(
            (failure.fault, failure.message.as_str()),
            (Fault::Transport, "the stream ended before the answer did")
        );
    }
    assert!(read([CALLS.trim_end().as_bytes()]).1.is_none());
    assert!(read([format!("{SIGNED_TEXT}data: [DONE]\n\n").as_bytes()]).1.is_none());
    for broken in ["data: {\n\n", "data: 7\n\n", "data: {\"candidates\":7}\n\n", "data: {\"error\":\"x\"}\n\n"] {
        assert_eq!(read([broken.as_bytes()]).1.unwrap().fault, Fault::Protocol, "{broken}");
    }
    let error = json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
    let failure = read([stream(&[parts(json!([{"text": "a"}])), error]).as_bytes()]).1.unwrap().error();
    assert_eq!((failure.kind, failure.http_status), (ErrorKind::Overloaded, Some(503)));
    assert_eq!(failure.message, "the Gemini API broke its answer off: The model is overloaded.");
}

fn any_part() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        r#"{"text":"a"}"#,
        r#"{"text":""}"#,
        r#"{"text":"é","thought":true}"#,
        r#"{"text":"","thought":true,"thoughtSignature":"T"}"#,
        r#"{"text":"b","thoughtSignature":"S"}"#,
        r#"{"text":"","thoughtSignature":"S"}"#,
        r#"{"thoughtSignature":"S"}"#,
        r#"{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"S"}"#,
        r#"{"functionCall":{"args":null}}"#,
        r#"{"functionCall":{}}"#,
        r#"{"inlineData":{}}"#,
        r#"{"text":null,"thought":null}"#,
        "{}",
        "7",
    ])
}

fn any_event() -> impl Strategy<Value = String> {
    let chunk = (prop::collection::vec(any_part(), 0..4), any::<bool>()).prop_map(|(parts, stop)| {
        let stop = if stop { r#","finishReason":"STOP""# } else { "" };
        format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{}]}}{stop}}}]}}\n\n", parts.join(","))
    });
    let other = prop::sample::select(vec![
        "data: {\"usageMetadata\":{\"promptTokenCount\":18446744073709551615,\"toolUsePromptTokenCount\":9}}\n\n",
        "data: {\"usageMetadata\":{\"promptTokenCount\":-1}}\n\n",
        "data: {\"error\":{\"code\":99999,\"details\":[7,{\"@type\":\"x.RetryInfo\",\"retryDelay\":\"1e999s\"}]}}\n\n",
        "data: {\"promptFeedback\":{}}\n\n",
    ]);
    prop_oneof![6 => chunk, 1 => other.prop_map(str::to_owned), 1 => "[ -~\n]{0,30}"]
}

proptest! {
    #[test]
    fn any_cut_of_a_stream_gives_the_same_pieces(cuts in prop::collection::vec(1usize..60, 1..30)) {
        for stream in [CALLS, SIGNED_TEXT] {
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

    /// Whatever comes: no panic, every block begun once, grown and closed only while it is open, and none left open.
    #[test]
    fn any_stream_gives_blocks_in_order(events in prop::collection::vec(any_event(), 0..20)) {
        let stream = events.concat();
        let (told, failure) = read([stream.as_bytes()]);
        prop_assert_eq!(&told, &read(stream.as_bytes().chunks(3)).0);
        let (mut begun, mut open) = (0, Vec::new());
        for piece in told {
            match piece {
                Piece::Open(key, _) => {
                    prop_assert_eq!(key, begun);
                    begun += 1;
                    open.push(key);
                    prop_assert_eq!(open.len(), 1);
                }
                Piece::Delta(key, text) => prop_assert!(open.contains(&key) && !text.is_empty()),
                Piece::Close(key, _) => {
                    prop_assert!(open.contains(&key));
                    open.retain(|other| *other != key);
                }
                _ => {}
            }
        }
        prop_assert!(failure.is_some() || open.is_empty());
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
    let chunk = r#"{"candidates":[{"content":{"parts":[{"text":"a\ud83d"}],"role":"model"},"finishReason":"STOP"}]}"#;
    let want =
        [Piece::Open(0, Kind::Text), delta(0, "a\u{fffd}"), Piece::Close(0, None), Piece::Stopped(FinishReason::Stop)];
    assert_eq!(pieces(&format!("data: {chunk}\n\n")), want);
    for body in [chunk.to_owned(), format!("[{chunk}]")] {
        let mut out = Vec::new();
        let mut answer = Answer::default();
        answer.whole(&body, &mut out).unwrap();
        answer.end(&mut out).unwrap();
        assert_eq!(out, want);
    }
}
