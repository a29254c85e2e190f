//! Whole turns through the engine: what an answer holds goes back as it came.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_anthropic::Messages;
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::events::Event;
use llm_provider_guest::types::{FinishReason, ToolOwner};
use llmp_dialect_rig::{Host, body, called, last, sent, tool_options};
use rig::{stream, text, user};
use serde_json::json;

const MODEL_SERVER: &str = include_str!("fixtures/model_server.sse");

/// A turn that has asked the model: with the name of the request.
fn start() -> (Host<Messages>, u64) {
    let config = json!({"base-url": "https://api.example", "api-key": {"secret": "key"}, "model": "m"}).to_string();
    let mut host = Host::new(&config);
    host.ask_in(1, vec![user(vec![text("hi")])], tool_options(&["add"], ToolOwner::Callback));
    let id = host.newest();
    (host, id)
}

const STREAM: (&str, &str) = ("content-type", "text/event-stream");

#[test]
fn a_round_of_tools_hands_thinking_and_calls_back_unchanged() {
    let (mut host, first) = start();
    let calls = called(&host.respond(first, 200, &[STREAM], MODEL_SERVER));
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    let effects = host.step(|host| host.tool_result(1, &call.id, "2"));
    let (second, request) = sent(&effects).unwrap();
    let body = body(request);
    let want = json!([
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hard", "signature": "SIG-STUB"},
            {"type": "text", "text": "One."},
            {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 1}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "2", "cache_control": {"type": "ephemeral"}},
        ]},
    ]);
    assert_eq!(body["messages"], want);
    let end = stream(&[
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "2"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
        json!({"type": "message_stop"}),
    ]);
    let effects = host.respond(second, 200, &[STREAM, ("request-id", "req_2")], &end);
    let Some(Event::Finished(finished)) = last(&effects) else { panic!("{effects:?}") };
    assert_eq!((&finished.reason, finished.provider_request_id.as_deref()), (&FinishReason::Stop, Some("req_2")));
    assert_eq!((finished.usage.model_calls, finished.usage.output_tokens), (2, 10));
}

#[test]
fn a_refusal_has_what_the_headers_say() {
    let (mut host, id) = start();
    let body = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}).to_string();
    let headers = [("content-type", "application/json"), ("request-id", "req_1"), ("retry-after", "7")];
    let effects = host.respond(id, 429, &headers, &body);
    let Some(Event::Failed(failed)) = last(&effects) else { panic!("{effects:?}") };
    let error = &failed.error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::RateLimit, Verdict::RetryAfter(7_000)));
    assert_eq!((error.http_status, error.provider_request_id.as_deref()), (Some(429), Some("req_1")));
    assert!(error.request_sent && !error.output_seen);
}
