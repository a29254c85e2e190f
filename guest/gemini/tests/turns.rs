//! Whole turns through the engine: what an answer holds goes back as it came.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod rig;

use llm_provider_core::completion::Effect;
use llm_provider_gemini::Gemini;
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::events::Event;
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::types::{Block, FinishReason, Message, ToolCall, ToolOwner, ToolResult};
use llmp_dialect_rig::{Host, body, called, last, sent, told, tool_options};
use rig::{parts, stop, stream, text, user};
use serde_json::{Value, json};

const CALLS: &str = include_str!("fixtures/thinking_and_calls.sse");
const SIGNED_TEXT: &str = include_str!("fixtures/signed_text.sse");

fn start() -> Host<Gemini> {
    let config = json!({"base-url": "https://api.example", "api-key": {"secret": "key"}, "model": "gemini-3-flash"});
    Host::new(&config.to_string())
}

fn ask(host: &mut Host<Gemini>, history: Vec<Message>, owner: ToolOwner) -> Vec<Effect> {
    host.step(|host| {
        host.ask_in(1, history, tool_options(&["get_weather", "now"], owner));
    })
}

fn result(host: &mut Host<Gemini>, call: &ToolCall, content: &str) -> Vec<Effect> {
    host.step(|host| host.tool_result(1, &call.id, content))
}

fn contents(effects: &[Effect]) -> Value {
    body(sent(effects).unwrap().1)["contents"].clone()
}

const SSE: &[(&str, &str)] = &[("content-type", "text/event-stream")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json; charset=UTF-8")];

/// The model's part of the second request after the stream with calls.
fn signed_calls(second: &str) -> Value {
    json!({"role": "model", "parts": [
        {"text": "Let me look."},
        {"functionCall": {"id": "fc_1", "name": "get_weather", "args": {"city": "東京", "days": [1, 2]}},
         "thoughtSignature": "CallSigA=="},
        {"functionCall": {"id": second, "name": "now", "args": {}}},
    ]})
}

#[test]
fn a_round_of_tools_hands_signatures_back_on_the_calls_they_came_on() {
    let mut host = start();
    let effects = ask(&mut host, vec![user(vec![text("hi")])], ToolOwner::Callback);
    let (first, request) = sent(&effects).unwrap();
    assert_eq!(request.url, "https://api.example/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse");
    let calls = called(&host.respond(first, 200, SSE, CALLS));
    let [weather, now] = calls.as_slice() else { panic!("{calls:?}") };
    // A call without a name of its own gets one, so that its result finds it.
    assert_eq!((weather.id.as_str(), now.id.is_empty()), ("fc_1", false));
    result(&mut host, now, "noon");
    let effects = result(&mut host, weather, "rain");
    let want = json!([
        {"role": "user", "parts": [{"text": "hi"}]},
        signed_calls(&now.id),
        {"role": "user", "parts": [
            {"functionResponse": {"id": "fc_1", "name": "get_weather", "response": {"result": "rain"}}},
            {"functionResponse": {"id": now.id, "name": "now", "response": {"result": "noon"}}},
        ]},
    ]);
    assert_eq!(contents(&effects), want);
    let end = stream(&[json!({"responseId": "r2"}), parts(json!([{"text": "It rains."}])), stop("STOP")]);
    let effects = host.respond(sent(&effects).unwrap().0, 200, SSE, &end);
    let Some(Event::Finished(finished)) = last(&effects) else { panic!("{effects:?}") };
    assert_eq!((&finished.reason, finished.provider_request_id.as_deref()), (&FinishReason::Stop, Some("r2")));
    assert_eq!((finished.usage.model_calls, finished.usage.output_tokens), (1, 67));
}

/// The same when the owner of the turn keeps the history and brings it back: through the types of the contract.
#[test]
fn a_history_that_is_brought_back_has_all_signatures() {
    let mut host = start();
    let effects = ask(&mut host, vec![user(vec![text("hi")])], ToolOwner::Return);
    let effects = host.respond(sent(&effects).unwrap().0, 200, SSE, CALLS);
    let Some(Event::Finished(finished)) = last(&effects) else { panic!("{effects:?}") };
    assert_eq!(finished.reason, FinishReason::ToolCalls);
    let said = told(&effects);
    let results = said.blocks.iter().filter_map(|block| match block {
        Block::ToolCall(call) => {
            Some(Block::ToolResult(ToolResult { call_id: call.id.clone(), content: "r".into(), is_error: false }))
        }
        _ => None,
    });
    let results: Vec<Block> = results.collect();
    let mut history = vec![user(vec![text("hi")]), said, user(results)];
    let effects = ask(&mut host, history.clone(), ToolOwner::Return);
    let body = contents(&effects);
    let second = body[1]["parts"][2]["functionCall"]["id"].as_str().unwrap().to_owned();
    assert_eq!(body[1], signed_calls(&second));
    let effects = host.respond(sent(&effects).unwrap().0, 200, SSE, SIGNED_TEXT);
    history.extend([told(&effects), user(vec![text("thanks")])]);
    let body = contents(&ask(&mut host, history, ToolOwner::Return));
    assert_eq!(body[1], signed_calls(&second));
    let want = json!([{"text": "The sum is 4."}, {"text": "", "thoughtSignature": "EndSig"}]);
    assert_eq!(body[3]["parts"], want);
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let mut host = start();
    let effects = ask(&mut host, vec![user(vec![text("hi")])], ToolOwner::Callback);
    let body = json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}}]);
    let effects = host.respond(sent(&effects).unwrap().0, 429, JSON, &body.to_string());
    let Some(Event::Failed(failed)) = last(&effects) else { panic!("{effects:?}") };
    let error = &failed.error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::RateLimit, Verdict::RetryAfter(7_000)));
    assert_eq!((error.http_status, error.provider_code.as_deref()), (Some(429), Some("RESOURCE_EXHAUSTED")));
}

#[test]
fn an_answer_of_nothing_but_a_signature_is_none() {
    let mut host = start();
    let effects = ask(&mut host, vec![user(vec![text("hi")])], ToolOwner::Callback);
    let end = stream(&[parts(json!([{"text": "", "thoughtSignature": "S"}])), stop("STOP")]);
    let effects = host.respond(sent(&effects).unwrap().0, 200, SSE, &end);
    let Some(Event::Failed(failed)) = last(&effects) else { panic!("{effects:?}") };
    assert_eq!((failed.error.kind, failed.error.verdict), (ErrorKind::Internal, Verdict::RetryNow));
}

#[test]
fn a_list_that_was_not_streamed_is_an_answer_too() {
    let mut host = start();
    let effects = ask(&mut host, vec![user(vec![text("hi")])], ToolOwner::Callback);
    let list = json!([parts(json!([{"text": "a"}])), stop("STOP")]).to_string();
    let effects = host.respond(sent(&effects).unwrap().0, 200, JSON, &list);
    assert_eq!(told(&effects).blocks, [text("a")]);
    assert!(matches!(last(&effects), Some(Event::Finished(_))));
}

/// A service that says with every chunk that it has stopped has not said so when the connection breaks.
#[test]
fn a_reason_that_comes_with_every_chunk_is_none_when_the_connection_breaks() {
    let with_reason = |text: &str| {
        let mut chunk = parts(json!([{"text": text}]));
        chunk["candidates"][0]["finishReason"] = json!("STOP");
        chunk
    };
    let usage = json!({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}});
    let table = [
        // Once, at the end: an answer that is complete is one.
        (vec![parts(json!([{"text": "all"}])), stop("STOP"), usage.clone()], true),
        (vec![parts(json!([{"text": "all"}])), with_reason(""), with_reason("")], true),
        (vec![with_reason("some"), with_reason(" more")], false),
        (vec![with_reason("some"), with_reason(" more"), usage], false),
        (vec![with_reason(""), parts(json!([{"functionCall": {"name": "now", "args": {}}}]))], false),
    ];
    for (chunks, complete) in table {
        let mut host = start();
        ask(&mut host, vec![user(vec![text("hi")])], ToolOwner::Return);
        let id = host.newest();
        host.accept(id);
        host.chunk(id, stream(&chunks).as_bytes());
        host.broken(id, FailureKind::Broken, true);
        if complete {
            assert_eq!(host.finished(1).reason, FinishReason::Stop, "{chunks:?}");
        } else {
            assert_eq!(host.failed(1).error.kind, ErrorKind::Transport, "{chunks:?}");
        }
        // The same with an end of its own is complete.
        let mut host = start();
        let effects = ask(&mut host, vec![user(vec![text("hi")])], ToolOwner::Return);
        host.respond(sent(&effects).unwrap().0, 200, SSE, &stream(&chunks));
        host.finished(1);
    }
}
