//! Whole streams: what is in them, in any chunking, and never a panic.

mod rig;

use llm_provider_core::completion::{Dialect, Piece, Reader};
use llm_provider_guest::types::{FinishReason, Usage};
use llm_provider_openai::AnyApi;
use proptest::prelude::*;
use rig::{Answer, answer, ask, chat, read, responses};

const CHAT: &[u8] = include_bytes!("fixtures/chat.sse");
const RESPONSES: &[u8] = include_bytes!("fixtures/responses.sse");

fn usage() -> Usage {
    Usage {
        model_calls: 1,
        input_tokens: 100,
        output_tokens: 30,
        reasoning_tokens: 12,
        cache_read_tokens: 64,
        ..Usage::default()
    }
}

fn expected(text: &str, thinking: (&str, Option<&str>)) -> Answer {
    Answer {
        blocks: vec![
            (format!("thinking {}", thinking.0), thinking.1.map(str::to_owned)),
            (format!("text {text}"), None),
            ("call call_a weather {\"city\":\"Wien\"}".into(), None),
            ("call call_b time {}".into(), None),
        ],
        model: Some("gpt-5-2026".into()),
        usage: Some(usage()),
        stopped: Some(FinishReason::ToolCalls),
        unknown: 0,
    }
}

#[test]
fn a_stream_of_chat_completions_has_everything_in_order() {
    let (pieces, end) = read(&chat(), CHAT, &[]);
    end.unwrap();
    assert_eq!(answer(&pieces), expected("Wien: ☀️\n\n\"ja\"", ("Zwölf Städte.", None)));
}

#[test]
fn a_stream_of_responses_has_everything_in_order() {
    let (pieces, end) = read(&responses(), RESPONSES, &[]);
    end.unwrap();
    let signature = r#"{"id":"rs_1","encrypted_content":"gAAAfinal=="}"#;
    assert_eq!(answer(&pieces), expected("Wien: ☀️", ("Erst denken.\n\nDann reden.", Some(signature))));
}

/// Cut anywhere before its end, a stream gives a beginning of the pieces, and a failure or a complete answer.
#[test]
fn a_stream_that_is_cut_is_never_taken_for_a_whole_one() {
    for (api, stream, ends) in
        [(chat(), CHAT, "\"finish_reason\": \"tool_calls\""), (responses(), RESPONSES, "event: response.completed")]
    {
        let (whole, _) = read(&api, stream, &[]);
        let text = String::from_utf8(stream.to_vec()).unwrap();
        for (at, _) in text.match_indices("\n\n") {
            let (pieces, end) = read(&api, &stream[..at + 2], &[]);
            assert!(whole.starts_with(&pieces));
            let complete = text[..at].contains(ends);
            assert_eq!(end.is_ok(), complete, "{at}");
            if let Err(failure) = end {
                assert_eq!(failure.message, "the stream ended before the answer did");
            }
        }
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(KEYS), inner, 0..6)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

const WORDS: &[&str] = &[
    "response.output_text.delta",
    "response.output_text.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.function_call_arguments.delta",
    "response.reasoning_summary_text.delta",
    "response.content_part.done",
    "error",
    "message",
    "reasoning",
    "function_call",
    "stop",
    "length",
    "tool_calls",
];
const KEYS: &[&str] = &[
    "type",
    "choices",
    "delta",
    "message",
    "content",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "index",
    "id",
    "finish_reason",
    "usage",
    "error",
    "item",
    "output_index",
    "response",
    "output",
    "status",
    "text",
    "summary",
    "encrypted_content",
    "call_id",
    "code",
    "part",
    "reasoning",
    "refusal",
    "model",
    "detail",
    "prompt_tokens",
];

fn survives(api: &AnyApi, events: &[(String, String)]) {
    let mut reader = api.reader(&ask());
    let mut pieces: Vec<Piece> = Vec::new();
    for (name, data) in events {
        let _ = reader.event(name, data, &mut pieces);
    }
    let _ = reader.end(&mut pieces);
    // Puts together what came, and so checks the order of its pieces.
    answer(&pieces);
    if let Some((_, body)) = events.first() {
        let _ = api.reader(&ask()).whole(body, &mut Vec::new());
        let _ = api.refusal(400, body.as_bytes()).error();
        let _ = api.models(body.as_bytes());
    }
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_pieces(sizes in prop::collection::vec(0_usize..200, 0..60)) {
        for (api, stream) in [(chat(), CHAT), (responses(), RESPONSES)] {
            let (whole, _) = read(&api, stream, &[]);
            let (pieces, end) = read(&api, stream, &sizes);
            prop_assert!(end.is_ok());
            prop_assert_eq!(pieces, whole);
        }
    }

    #[test]
    fn any_json_is_survived(events in prop::collection::vec(("[a-z.]{0,6}", json().prop_map(|json| json.to_string())), 1..8)) {
        survives(&chat(), &events);
        survives(&responses(), &events);
    }

    #[test]
    fn any_text_is_survived(events in prop::collection::vec(("\\PC{0,6}", "\\PC{0,40}"), 1..8)) {
        survives(&chat(), &events);
        survives(&responses(), &events);
    }
}

/// Legal JSON, of which no Rust string can be made.
#[test]
fn half_a_character_does_not_cost_the_answer() {
    let chat_stream = r#"data: {"choices":[{"delta":{"content":"a\ud83d"}}]}

data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}

data: [DONE]

"#;
    let responses_stream = r#"data: {"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m","content":[]}}

data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"m","delta":"a\ud83d"}

data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"m","delta":"b"}

data: {"type":"response.completed","response":{"status":"completed","output":[{"type":"message","id":"m","content":[{"type":"output_text","text":"a\ud83db"}]}]}}

"#;
    let chat_whole = r#"{"choices":[{"message":{"content":"a\ud83db"},"finish_reason":"stop"}]}"#;
    let responses_whole =
        r#"{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a\ud83db"}]}]}"#;
    for (api, stream, whole) in [(chat(), chat_stream, chat_whole), (responses(), responses_stream, responses_whole)] {
        let (streamed, end) = read(&api, stream.as_bytes(), &[]);
        end.unwrap();
        let mut out = Vec::new();
        let mut reader = api.reader(&ask());
        reader.whole(whole, &mut out).unwrap();
        reader.end(&mut out).unwrap();
        for pieces in [streamed, out] {
            assert_eq!(answer(&pieces).blocks, [("text a\u{fffd}b".to_owned(), None)], "{pieces:?}");
        }
    }
}
