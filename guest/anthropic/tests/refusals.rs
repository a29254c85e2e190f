//! Responses that are no answers, and the list of models.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::{Dialect, Page};
use llm_provider_guest::catalog::Model;
use llm_provider_guest::errors::{ErrorKind as K, ErrorScope as S, Verdict as V};
use proptest::prelude::*;
use rig::dialect;
use serde_json::{Value, json};

fn refusal(status: u16, body: &[u8]) -> Failure {
    // The engine adds the status.
    Failure { status: Some(status), ..dialect(json!({})).refusal(status, body) }
}

fn reported(status: u16, kind: &str, message: &str) -> Failure {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
    refusal(status, body.to_string().as_bytes())
}

#[test]
fn every_type_of_error() {
    let long = "prompt is too long: 208310 tokens > 200000 maximum";
    let together = "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length";
    let credit = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.";
    let table = [
        (400, "invalid_request_error", "messages: at least one", (K::InvalidRequest, S::Request, V::Surface)),
        (400, "invalid_request_error", long, (K::ContextLength, S::Request, V::Compact)),
        (400, "invalid_request_error", together, (K::ContextLength, S::Request, V::Compact)),
        (400, "invalid_request_error", credit, (K::Quota, S::User, V::Surface)),
        (401, "authentication_error", "invalid x-api-key", (K::Authentication, S::User, V::Surface)),
        (402, "billing_error", "pay", (K::Quota, S::User, V::Surface)),
        (403, "permission_error", "no", (K::Permission, S::User, V::Surface)),
        (404, "not_found_error", "model: x", (K::NotFound, S::Model, V::SwitchModel)),
        (413, "request_too_large", "too large", (K::ContextLength, S::Request, V::Compact)),
        (413, "invalid_request_error", "too large", (K::ContextLength, S::Request, V::Compact)),
        (429, "rate_limit_error", "slow down", (K::RateLimit, S::User, V::RetryAfter(30_000))),
        (500, "api_error", "oops", (K::Internal, S::Model, V::RetryAfter(500))),
        (503, "api_error", "a proxy's word", (K::Overloaded, S::Model, V::RetryAfter(2_000))),
        (504, "timeout_error", "late", (K::Timeout, S::Model, V::RetryAfter(500))),
        (529, "overloaded_error", "Overloaded", (K::Overloaded, S::Model, V::RetryAfter(2_000))),
        (418, "of_the_future", "tea", (K::InvalidRequest, S::Request, V::Surface)),
        // Where the type says more, the text has no say.
        (429, "rate_limit_error", long, (K::RateLimit, S::User, V::RetryAfter(30_000))),
    ];
    for (status, kind, message, want) in table {
        let failure = reported(status, kind, message);
        let error = failure.error();
        assert_eq!((error.kind, error.scope, error.verdict), want, "{status} {kind}: {message}");
        let code = if message == credit { "billing_error" } else { kind };
        assert_eq!(error.provider_code.as_deref(), Some(code));
        assert_eq!(error.provider_request_id.as_deref(), Some("req_1"));
        assert_eq!(error.message, format!("the Messages API refused the request (HTTP {status}): {message}"));
    }
}

/// As `@musistudio/llms` 1.0.53 does.
#[test]
fn a_compatible_server_says_api_error_of_every_failure() {
    for (status, want) in [(401, K::Authentication), (404, K::NotFound), (429, K::RateLimit), (400, K::InvalidRequest)]
    {
        let error = reported(status, "api_error", "Error from provider").error();
        assert_eq!((error.kind, error.http_status), (want, Some(status)), "{error:?}");
    }
}

#[test]
fn bodies_that_are_no_report() {
    let html = refusal(503, b"<html>\n<h1>Service Unavailable</h1>").error();
    assert_eq!((html.kind, html.verdict), (K::Overloaded, V::RetryAfter(2_000)));
    let want = "the service refused the request (HTTP 503) and gave no reason that can be read: \
                <html> <h1>Service Unavailable</h1>";
    assert_eq!(html.message, want);
    for body in [&b""[..], b"{}", b"null", b"{\"error\":\"x\"}", &[0xff; 900]] {
        let failure = refusal(400, body);
        assert_eq!((failure.fault, failure.error().kind), (Fault::Provider, K::InvalidRequest));
        assert!(failure.message.len() < 800, "{}", failure.message);
    }
    let silent = refusal(400, br#"{"error":{}}"#);
    assert_eq!((silent.code, silent.message.ends_with(": no reason given")), (None, true));
}

#[test]
fn where_the_models_are() {
    let url = |page: Option<&str>| dialect(json!({})).models_request(page).unwrap().url;
    assert_eq!(url(None), "https://api.example/v1/models?limit=100");
    assert_eq!(url(Some("a-1.5/é&b")), "https://api.example/v1/models?limit=100&after_id=a-1.5%2F%C3%A9%26b");
    let request = dialect(json!({"api-key": {"secret": "key"}})).models_request(None).unwrap();
    let names: Vec<&str> = request.headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!((request.method.as_str(), names), ("GET", vec!["anthropic-version", "accept", "x-api-key"]));
    assert_eq!(dialect(json!({})).request_id_header(), Some("request-id"));
}

fn page(list: Value) -> Page {
    dialect(json!({})).models(list.to_string().as_bytes()).unwrap()
}

#[test]
fn a_page_of_models() {
    let yes = json!({"supported": true});
    let no = json!({"supported": false});
    let read = page(json!({
        "data": [
            {"type": "model", "id": "claude-a", "display_name": "Claude A", "created_at": "2025-01-01T00:00:00Z",
             "max_input_tokens": 200_000, "max_tokens": 64_000,
             "capabilities": {"image_input": yes, "batch": no,
                "effort": {"supported": true, "low": yes, "medium": yes, "high": yes, "xhigh": null, "max": no}}},
            {"type": "model", "id": "claude-b", "capabilities": null},
        ],
        "has_more": true, "first_id": "claude-a", "last_id": "claude-b",
    }));
    let bare = Model {
        id: "claude-b".into(),
        name: None,
        context_window: None,
        max_output_tokens: None,
        images: None,
        tools: None,
        reasoning_efforts: vec![],
        premium_multiplier: None,
    };
    let told = Model {
        id: "claude-a".into(),
        name: Some("Claude A".into()),
        context_window: Some(200_000),
        max_output_tokens: Some(64_000),
        images: Some(true),
        reasoning_efforts: vec!["low".into(), "medium".into(), "high".into()],
        ..bare.clone()
    };
    assert_eq!(read, Page { models: vec![told, bare], next: Some("claude-b".into()) });
    let last = page(json!({"data": [{"id": "x"}], "has_more": false, "last_id": "x"}));
    assert_eq!(last.next, None);
    assert_eq!(page(json!({"data": [], "has_more": true, "last_id": "x"})), Page::default());
    assert_eq!(dialect(json!({})).models(b"<html>").unwrap_err().fault, Fault::Protocol);
}

proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(status: u16, body in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = refusal(status, &body).error();
        let _ = dialect(json!({})).models(&body);
    }
}
