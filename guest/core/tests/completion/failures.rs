//! Requests that fail, and responses that are no answer.

use crate::rig::{Rig, calling, header, saying, stream, tools};
use llm_provider_core::sse::EVENT_LIMIT;
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::types::{FinishReason, ToolOwner};
use serde_json::json;

#[test]
fn a_stream_that_is_cut_off_is_no_answer() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.accept(id);
    rig.events_of(id, &saying("hello")[..3]);
    rig.end(id);
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Transport, "the answer is cut off"));
    assert_eq!(error.provider_request_id.as_deref(), Some("toy-1"));
    assert_eq!(rig.reach(turn), (true, true, false));
    assert!(rig.given_up().is_empty());
}

#[test]
fn a_connection_that_breaks_before_the_end_fails_the_turn() {
    for part in [0, 1, 4] {
        let mut rig = Rig::default();
        let turn = rig.ask();
        let id = rig.newest();
        rig.accept(id);
        rig.events_of(id, &saying("hello")[..part]);
        rig.chunk(id, b"data: {\"stop");
        rig.broken(id, FailureKind::Broken, true);
        let error = rig.failed(turn).error;
        assert_eq!(error.kind, ErrorKind::Transport, "{part}: {}", error.message);
        assert_eq!(error.message, "the request to the model's endpoint failed: it failed");
        assert_eq!(rig.reach(turn), (true, part > 1, false));
    }
}

#[test]
fn a_connection_that_breaks_after_the_end_does_not_matter() {
    let bytes = stream(&saying("hello"));
    for body in [bytes.clone(), [&bytes[..], b"data: {\"usa"].concat()] {
        let mut rig = Rig::default();
        let turn = rig.ask();
        let id = rig.newest();
        rig.accept(id);
        rig.chunk(id, &body);
        rig.broken(id, FailureKind::Broken, true);
        assert_eq!((rig.text(turn).as_str(), rig.finished(turn).reason), ("hello", FinishReason::Stop));
    }
}

#[test]
fn a_request_that_fails_says_what_a_retry_would_cost() {
    let table = [
        (FailureKind::Denied, false, ErrorKind::Permission),
        (FailureKind::Exhausted, false, ErrorKind::Quota),
        (FailureKind::Invalid, false, ErrorKind::InvalidRequest),
        (FailureKind::Dns, false, ErrorKind::Transport),
        (FailureKind::Connect, false, ErrorKind::Transport),
        (FailureKind::Tls, false, ErrorKind::Transport),
        (FailureKind::Timeout, true, ErrorKind::Timeout),
        (FailureKind::Broken, true, ErrorKind::Transport),
        (FailureKind::TooLarge, true, ErrorKind::Protocol),
    ];
    for (kind, sent, means) in table {
        let mut rig = Rig::default();
        let turn = rig.ask();
        rig.broken(rig.newest(), kind, sent);
        assert_eq!(rig.failed(turn).error.kind, means, "{kind:?}");
        assert_eq!(rig.reach(turn), (sent, false, false), "{kind:?}");
    }
    // In a later round it has all happened already.
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    rig.answer(&calling(&["a"]));
    rig.tool_result(turn, "a", "seen");
    rig.broken(rig.newest(), FailureKind::Connect, false);
    assert_eq!(rig.reach(turn), (true, true, true));
    assert_eq!(rig.failed(turn).error.provider_request_id, None, "the last request has no name");
}

#[test]
fn a_used_up_quota_is_no_matter_of_permission_and_says_when_there_is_more() {
    for (told, waits) in [(Some(90_000), 90_000), (None, 2_000)] {
        let mut rig = Rig::default();
        let turn = rig.ask();
        rig.exhausted(rig.newest(), told);
        let error = rig.failed(turn).error;
        assert_eq!((error.kind, error.verdict), (ErrorKind::Quota, Verdict::RetryAfter(waits)));
        assert_eq!((error.retry_after, error.request_sent), (told, false));
        assert!(error.message.contains("http-requests"), "{}", error.message);
        assert_eq!(error.hint.as_deref(), Some("wait, or grant more in the tenant's policy"));
    }
}

#[test]
fn a_refusal_is_what_its_body_and_its_status_say() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    rig.refuse(400, vec![header("toy-request", "r1")], r#"{"code":"context_length_exceeded","message":"too\nlong"}"#);
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::ContextLength, Verdict::Compact));
    assert_eq!((error.message.as_str(), error.http_status), ("too long", Some(400)));
    assert_eq!(error.provider_code.as_deref(), Some("context_length_exceeded"));
    assert_eq!(error.provider_request_id.as_deref(), Some("r1"));
    assert_eq!(rig.reach(turn), (true, false, false));
    let turn = rig.ask();
    rig.refuse(503, vec![header("content-type", "text/html")], "<html>busy</html>");
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Overloaded, "the toy answered with status 503"));
}

#[test]
fn a_refusal_whose_body_breaks_off_is_a_refusal() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.head(id, 401, Vec::new());
    rig.broken(id, FailureKind::Broken, true);
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Authentication);
}

#[test]
fn a_refusal_without_end_is_a_refusal() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.head(id, 429, Vec::new());
    for _ in 0..64 {
        assert!(!rig.monitor.ended(turn));
        rig.chunk(id, &[b' '; 1024]);
    }
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::RateLimit);
    assert_eq!(rig.given_up(), [id]);
}

#[test]
fn a_web_page_is_no_answer() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.head(id, 200, vec![header("content-type", "text/HTML; charset=utf-8"), header("toy-request", "r1")]);
    let error = rig.failed(turn).error;
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.hint.unwrap().contains("base-url"));
    assert_eq!(error.provider_request_id.as_deref(), Some("r1"));
    assert_eq!(rig.given_up(), [id], "nobody reads the page");
}

#[test]
fn a_failure_in_the_stream_ends_the_turn_and_the_request() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.accept(id);
    let failed = json!({"failed": {"code": "overloaded_error", "message": "busy"}});
    rig.events_of(id, &[json!({"text": 0}), json!({"more": [0, "so"]}), failed, json!({"more": [0, " not"]})]);
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Overloaded, "busy"));
    assert_eq!(rig.reach(turn), (true, true, false));
    assert_eq!(rig.given_up(), [id]);
}

#[test]
fn an_answer_that_breaks_the_protocol_ends_the_turn_and_the_request() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.accept(id);
    rig.chunk(id, b"data: no json\n\n");
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Protocol);
    assert_eq!(rig.given_up(), [id]);
    // A whole one is read at its end, when nothing is open.
    let turn = rig.ask();
    let id = rig.newest();
    rig.head(id, 200, vec![header("content-type", "application/json")]);
    rig.chunk(id, b"[{\"text\": 0}");
    rig.end(id);
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Protocol);
    assert_eq!(rig.given_up().len(), 1);
}

#[test]
fn a_response_that_ends_before_it_begins_is_none() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    rig.chunk(rig.newest(), b"data: {\"text\":0}\n\n");
    rig.end(rig.newest());
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Protocol);
    assert!(rig.given_up().is_empty());
}

#[test]
fn answers_have_limits() {
    // An event that is too large: what came before it was told, however it was cut.
    let mut body = stream(&saying("hello")[..2]);
    body.extend_from_slice(b"data: ");
    body.resize(body.len() + EVENT_LIMIT + 1, b'x');
    for size in [body.len(), 100_000, 1024 * 1024] {
        let mut rig = Rig::default();
        let turn = rig.ask();
        let id = rig.newest();
        rig.accept(id);
        for part in body.chunks(size) {
            if !rig.monitor.ended(turn) {
                rig.chunk(id, part);
            }
        }
        assert_eq!(rig.failed(turn).error.kind, ErrorKind::Protocol);
        assert_eq!(rig.reach(turn), (true, true, false), "in parts of {size}");
        assert_eq!(rig.given_up(), [id]);
    }
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.head(id, 200, vec![header("content-type", "application/json")]);
    let part = vec![b' '; 1024 * 1024];
    for _ in 0..8 {
        rig.chunk(id, &part);
        assert!(!rig.monitor.ended(turn));
    }
    rig.chunk(id, b" ");
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Protocol);
    assert_eq!(rig.given_up(), [id]);
}
