//! Responses that are no answers, and the list of models.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::{Dialect, Page};
use llm_provider_guest::catalog::Model;
use llm_provider_guest::errors::{Error, ErrorKind as K, ErrorScope as S, Verdict as V};
use proptest::prelude::*;
use rig::dialect;
use serde_json::{Value, json};

fn refusal(status: u16, body: &[u8]) -> Failure {
    // The engine adds the status.
    Failure { status: Some(status), ..dialect(json!({})).refusal(status, body) }
}

fn reported(code: u16, status: &str, message: &str, details: Value) -> Error {
    let error = json!({"error": {"code": code, "message": message, "status": status, "details": details}});
    let alone = refusal(code, error.to_string().as_bytes()).error();
    let in_a_list = refusal(code, json!([error]).to_string().as_bytes()).error();
    assert_eq!(alone.message, in_a_list.message);
    assert_eq!(alone.provider_code, in_a_list.provider_code);
    alone
}

fn info(reason: &str) -> Value {
    json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}])
}

#[test]
fn every_status_and_reason() {
    let long = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
    let none = || json!([]);
    let table = [
        (400, "INVALID_ARGUMENT", "bad", none(), (K::InvalidRequest, S::Request, V::Surface)),
        (400, "INVALID_ARGUMENT", long, none(), (K::ContextLength, S::Request, V::Compact)),
        (400, "INVALID_ARGUMENT", "bad key", info("API_KEY_INVALID"), (K::Authentication, S::User, V::Surface)),
        (400, "INVALID_ARGUMENT", "x", info("OF_THE_FUTURE"), (K::InvalidRequest, S::Request, V::Surface)),
        (400, "FAILED_PRECONDITION", "no free tier here", none(), (K::Permission, S::User, V::Surface)),
        (401, "UNAUTHENTICATED", "who", none(), (K::Authentication, S::User, V::Surface)),
        (403, "PERMISSION_DENIED", "no", none(), (K::Permission, S::User, V::Surface)),
        (403, "PERMISSION_DENIED", "no", info("SERVICE_DISABLED"), (K::Permission, S::User, V::Surface)),
        (403, "PERMISSION_DENIED", "pay", info("BILLING_DISABLED"), (K::Quota, S::User, V::Surface)),
        (404, "NOT_FOUND", "models/x", none(), (K::NotFound, S::Model, V::SwitchModel)),
        (429, "RESOURCE_EXHAUSTED", "slow", none(), (K::RateLimit, S::User, V::RetryAfter(30_000))),
        (500, "INTERNAL", "oops", none(), (K::Internal, S::Model, V::RetryAfter(500))),
        (503, "UNAVAILABLE", "busy", none(), (K::Overloaded, S::Model, V::RetryAfter(2_000))),
        (504, "DEADLINE_EXCEEDED", "late", none(), (K::Timeout, S::Model, V::RetryAfter(500))),
        (418, "OF_THE_FUTURE", "tea", none(), (K::InvalidRequest, S::Request, V::Surface)),
    ];
    for (code, status, message, details, want) in table {
        let error = reported(code, status, message, details);
        assert_eq!((error.kind, error.scope, error.verdict), want, "{code} {status}: {message}");
        assert_eq!(error.message, format!("the Gemini API refused the request (HTTP {code}): {message}"));
        assert!(error.provider_code.is_some());
    }
    let key = reported(400, "INVALID_ARGUMENT", "API key not valid.", info("API_KEY_INVALID"));
    assert_eq!(key.provider_code.as_deref(), Some("API_KEY_INVALID"));
    assert_eq!(key.provider_request_id, None);
    let named = |name: &str| json!([{"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": name}]);
    for (name, want) in [("r7", Some("r7")), ("", None)] {
        let error = reported(500, "INTERNAL", "oops", named(name));
        assert_eq!(error.provider_request_id.as_deref(), want);
    }
}

#[test]
fn what_a_limit_says_about_coming_back() {
    let limited = |quota: &str, delay: Value| {
        reported(
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota.",
            json!([
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                    {"quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                     "quotaId": quota, "quotaDimensions": {"model": "gemini-2.5-pro"}, "quotaValue": "5"}]},
                {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
            ]),
        )
    };
    let minute = limited("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", json!("3.5s"));
    assert_eq!((minute.kind, minute.verdict, minute.retry_after), (K::RateLimit, V::RetryAfter(3_500), Some(3_500)));
    let day = limited("GenerateRequestsPerDayPerProjectPerModel-FreeTier", json!("42s"));
    assert_eq!((day.kind, day.verdict), (K::Quota, V::Surface));
    for (delay, want) in [
        (json!("0s"), Some(0)),
        (json!("34.074824224s"), Some(34_075)),
        (json!("-1s"), None),
        (json!("5"), None),
        (json!("infs"), None),
        (json!(5), None),
    ] {
        assert_eq!(limited("PerMinute", delay.clone()).retry_after, want, "{delay}");
    }
}

#[test]
fn bodies_that_are_no_report() {
    let html = refusal(503, b"<html>\n<h1>Service Unavailable</h1>").error();
    assert_eq!((html.kind, html.verdict), (K::Overloaded, V::RetryAfter(2_000)));
    let want = "the service refused the request (HTTP 503) and gave no reason that can be read: \
                <html> <h1>Service Unavailable</h1>";
    assert_eq!(html.message, want);
    for body in [&b""[..], b"{}", b"[]", b"null", b"{\"error\":\"x\"}", b"{\"error\":{\"status\":7}}", &[0xff; 900]] {
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
    assert_eq!(url(None), "https://api.example/v1beta/models?pageSize=1000");
    assert_eq!(url(Some("a/b=")), "https://api.example/v1beta/models?pageSize=1000&pageToken=a%2Fb%3D");
    let request = dialect(json!({"api-key": {"secret": "key"}})).models_request(None).unwrap();
    let names: Vec<&str> = request.headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!((request.method.as_str(), names), ("GET", vec!["accept", "x-goog-api-key"]));
}

fn page(list: Value) -> Page {
    dialect(json!({})).models(list.to_string().as_bytes()).unwrap()
}

#[test]
fn a_page_of_models() {
    let read = page(json!({
        "models": [
            {"name": "models/gemini-3-flash", "version": "3", "displayName": "Gemini 3 Flash", "thinking": true,
             "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
             "supportedGenerationMethods": ["generateContent", "countTokens"], "temperature": 1, "topK": 64},
            {"name": "models/text-embedding-004", "supportedGenerationMethods": ["embedContent"]},
            {"name": "tunedModels/mine"},
        ],
        "nextPageToken": "Ch1",
    }));
    let bare = Model {
        id: "tunedModels/mine".into(),
        name: None,
        context_window: None,
        max_output_tokens: None,
        images: None,
        tools: None,
        reasoning_efforts: vec![],
        premium_multiplier: None,
    };
    let told = Model {
        id: "gemini-3-flash".into(),
        name: Some("Gemini 3 Flash".into()),
        context_window: Some(1_048_576),
        max_output_tokens: Some(65_536),
        reasoning_efforts: vec!["low".into(), "medium".into(), "high".into()],
        ..bare.clone()
    };
    assert_eq!(read, Page { models: vec![told, bare], next: Some("Ch1".into()) });
    assert_eq!(page(json!({"models": [{"name": "models/x"}], "nextPageToken": ""})).next, None);
    assert_eq!(page(json!({"nextPageToken": "again"})), Page::default());
    assert_eq!(page(json!({})), Page::default());
    assert_eq!(dialect(json!({})).models(b"<html>").unwrap_err().fault, Fault::Protocol);
}

proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(
        status: u16,
        body in prop::collection::vec(any::<u8>(), 0..400),
        (delay, quota) in (".{0,12}", ".{0,12}"),
    ) {
        let _ = refusal(status, &body).error();
        let _ = dialect(json!({})).models(&body);
        let details = json!([{"@type": "x.RetryInfo", "retryDelay": delay}, {"@type": quota, "reason": delay}]);
        let _ = reported(429, "RESOURCE_EXHAUSTED", &quota, details);
    }
}
