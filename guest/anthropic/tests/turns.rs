//! Whole turns through the engine: what an answer holds goes back as it came.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_anthropic::Messages;
use llm_provider_core::completion::{Completions, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{EventEffect, HttpEffect, ToolEffect};
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::events::Event;
use llm_provider_guest::http::{Request, RequestId};
use llm_provider_guest::http_types::{Response, ResponseHeader};
use llm_provider_guest::provider::{HttpBytes, HttpHead, Input, Setup, ToolAnswer, Turn, TurnOptions};
use llm_provider_guest::types::{FinishReason, Tool, ToolCall, ToolResult};
use rig::{bytes, secrets, stream, text, user};
use serde_json::{Value, json};

const MODEL_SERVER: &str = include_str!("fixtures/model_server.sse");

/// A turn in the only session.
struct Running {
    plugin: Completions<Messages>,
}

impl Running {
    fn start() -> (Self, Vec<Effect>) {
        let config = json!({"base-url": "https://api.example", "api-key": {"secret": "key"}, "model": "m"}).to_string();
        let plugin = Completions::configure(Setup { config, secrets: secrets(), seed: 1 }).unwrap();
        let add = Tool { name: "add".into(), description: String::new(), parameters: r#"{"type":"object"}"#.into() };
        let options = TurnOptions { tools: vec![add], ..TurnOptions::default() };
        let turn = Turn { session: 1, id: 1, history: vec![user(vec![text("hi")])], options };
        let mut running = Self { plugin };
        let effects = running.tell(vec![Input::OpenSession(1), Input::StartTurn(turn)]);
        (running, effects)
    }

    fn tell(&mut self, inputs: Vec<Input>) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.plugin.handle(0, inputs, &mut effects);
        effects
    }

    fn answer(&mut self, id: RequestId, status: u16, headers: &[(&str, &str)], body: &str) -> Vec<Effect> {
        let headers = headers
            .iter()
            .map(|(name, value)| ResponseHeader { name: (*name).into(), value: (*value).into() })
            .collect();
        self.tell(vec![
            Input::HttpResponse(HttpHead { id, response: Response { status, headers } }),
            Input::HttpChunk(HttpBytes { id, data: body.as_bytes().to_vec() }),
            Input::HttpEnd(id),
        ])
    }
}

fn sent(effects: &[Effect]) -> Option<(RequestId, &Request)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Http(HttpEffect::Send(id, request)) => Some((*id, request)),
        _ => None,
    })
}

fn called(effects: &[Effect]) -> Option<ToolCall> {
    effects.iter().find_map(|effect| match effect {
        Effect::Tool(ToolEffect::Invoke(_, call)) => Some(call.clone()),
        _ => None,
    })
}

fn last(effects: &[Effect]) -> Option<&Event> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Event(EventEffect(_, event @ (Event::Finished(_) | Event::Failed(_)))) => Some(event),
        _ => None,
    })
}

const STREAM: (&str, &str) = ("content-type", "text/event-stream");

#[test]
fn a_round_of_tools_hands_thinking_and_calls_back_unchanged() {
    let (mut running, effects) = Running::start();
    let (first, _) = sent(&effects).unwrap();
    let effects = running.answer(first, 200, &[STREAM], MODEL_SERVER);
    let call = called(&effects).unwrap();
    let result = ToolResult { call_id: call.id, content: "2".into(), is_error: false };
    let effects = running.tell(vec![Input::ToolResult(ToolAnswer { turn: 1, result })]);
    let (second, request) = sent(&effects).unwrap();
    let body: Value = serde_json::from_slice(&bytes(request)).unwrap();
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
    let effects = running.answer(second, 200, &[STREAM, ("request-id", "req_2")], &end);
    let Some(Event::Finished(finished)) = last(&effects) else { panic!("{effects:?}") };
    assert_eq!((&finished.reason, finished.provider_request_id.as_deref()), (&FinishReason::Stop, Some("req_2")));
    assert_eq!((finished.usage.model_calls, finished.usage.output_tokens), (2, 10));
}

#[test]
fn a_refusal_has_what_the_headers_say() {
    let (mut running, effects) = Running::start();
    let (id, _) = sent(&effects).unwrap();
    let body = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}).to_string();
    let headers = [("content-type", "application/json"), ("request-id", "req_1"), ("retry-after", "7")];
    let effects = running.answer(id, 429, &headers, &body);
    let Some(Event::Failed(failed)) = last(&effects) else { panic!("{effects:?}") };
    let error = &failed.error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::RateLimit, Verdict::RetryAfter(7_000)));
    assert_eq!((error.http_status, error.provider_request_id.as_deref()), (Some(429), Some("req_1")));
    assert!(error.request_sent && !error.output_seen);
}
