//! Questions about the provider itself.

use crate::rig::{Rig, header, saying};
use llm_provider_core::completion::Effect;
use llm_provider_guest::effects::CatalogEffect;
use llm_provider_guest::errors::ErrorKind;
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::provider::Input;
use serde_json::json;

/// A question that was asked.
fn asked() -> (Rig, u64) {
    let mut rig = Rig::default();
    rig.give(Input::ListModels(1));
    let id = rig.newest();
    (rig, id)
}

/// A page of the list as an answer to the newest request.
fn page(rig: &mut Rig, models: &[&str], next: Option<&str>) {
    let id = rig.newest();
    rig.head(id, 200, Vec::new());
    let body = json!({"models": models, "next": next}).to_string();
    let (first, second) = body.split_at(body.len() / 2);
    rig.chunk(id, first.as_bytes());
    rig.chunk(id, second.as_bytes());
    rig.end(id);
}

#[test]
fn all_pages_are_read() {
    let (mut rig, _) = asked();
    page(&mut rig, &["a", "b"], Some("b"));
    assert_eq!(rig.sent.last().unwrap().1.url, "https://toy.test/models?from=b");
    page(&mut rig, &[], Some("b2"));
    page(&mut rig, &["c"], None);
    assert_eq!(rig.models(1).unwrap(), ["a", "b", "c"]);
    let ids: Vec<u64> = rig.sent.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn a_list_without_end_is_none() {
    let (mut rig, _) = asked();
    for _ in 0..50 {
        assert_eq!(rig.monitor.open_questions(), 1);
        page(&mut rig, &["a"], Some("a"));
    }
    assert_eq!(rig.sent.len(), 50);
    assert_eq!(rig.models(1).unwrap_err().kind, ErrorKind::Protocol);
}

#[test]
fn a_page_that_is_too_long_is_given_up() {
    let (mut rig, id) = asked();
    rig.head(id, 200, Vec::new());
    let part = vec![b' '; 1024 * 1024];
    (0..4).for_each(|_| rig.chunk(id, &part));
    assert_eq!(rig.monitor.open_questions(), 1);
    rig.chunk(id, b" ");
    assert_eq!(rig.models(1).unwrap_err().kind, ErrorKind::Protocol);
    assert_eq!(rig.given_up(), [id]);
    rig.chunk(id, b" ");
    rig.end(id);
    assert_eq!(rig.given_up(), [id]);
}

#[test]
fn a_question_may_fail() {
    let (mut rig, _) = asked();
    rig.refuse(401, vec![header("toy-request", "r1")], r#"{"code":"invalid_api_key","message":"no"}"#);
    let error = rig.models(1).unwrap_err();
    assert_eq!((error.kind, error.http_status), (ErrorKind::Authentication, Some(401)));
    assert_eq!(error.provider_request_id.as_deref(), Some("r1"));

    let (mut rig, id) = asked();
    rig.broken(id, FailureKind::Connect, false);
    assert_eq!(rig.models(1).unwrap_err().kind, ErrorKind::Transport);

    let (mut rig, id) = asked();
    rig.head(id, 200, Vec::new());
    rig.chunk(id, b"[");
    rig.end(id);
    assert_eq!(rig.models(1).unwrap_err().kind, ErrorKind::Protocol);
}

#[test]
fn a_refusal_is_one_whatever_becomes_of_its_body() {
    let (mut rig, id) = asked();
    rig.head(id, 401, Vec::new());
    rig.broken(id, FailureKind::Broken, true);
    assert_eq!(rig.models(1).unwrap_err().kind, ErrorKind::Authentication);

    let (mut rig, id) = asked();
    rig.head(id, 429, Vec::new());
    rig.chunk(id, &vec![b' '; 5 * 1024 * 1024]);
    assert_eq!(rig.models(1).unwrap_err().kind, ErrorKind::RateLimit);
    assert_eq!(rig.given_up(), [id]);
}

#[test]
fn a_web_page_is_no_list() {
    let (mut rig, id) = asked();
    rig.head(id, 200, vec![header("content-type", "text/html")]);
    let error = rig.models(1).unwrap_err();
    assert!(error.message.contains("web page"), "{}", error.message);
    assert_eq!(rig.given_up(), [id]);
}

#[test]
fn a_service_without_a_list_says_so() {
    let mut rig = Rig::new(r#"{"model":"no-list","timeout":60000}"#);
    rig.give(Input::ListModels(1));
    assert_eq!(rig.models(1).unwrap_err().kind, ErrorKind::Unsupported);
    assert!(rig.sent.is_empty());
}

#[test]
fn a_shutdown_ends_the_questions() {
    let (mut rig, _) = asked();
    rig.give(Input::ListModels(2));
    page(&mut rig, &["a"], Some("a"));
    rig.give(Input::Shutdown);
    assert_eq!(rig.given_up(), [1, 3]);
    for question in [1, 2] {
        assert_eq!(rig.models(question).unwrap_err().kind, ErrorKind::Cancelled);
    }
    rig.give(Input::ListModels(3));
    assert_eq!(rig.models(3).unwrap_err().kind, ErrorKind::Cancelled);
    assert_eq!(rig.sent.len(), 3);
}

#[test]
fn questions_and_turns_do_not_mix() {
    let (mut rig, first) = asked();
    let turn = rig.ask();
    let second = rig.newest();
    rig.accept(second);
    rig.head(first, 200, Vec::new());
    rig.events_of(second, &saying("hello"));
    rig.chunk(first, br#"{"models":["a"],"next":null}"#);
    rig.end(second);
    rig.end(first);
    assert_eq!((rig.text(turn), rig.models(1).unwrap()), ("hello".to_owned(), vec!["a".to_owned()]));
}

#[test]
fn there_is_no_quota_to_read() {
    let mut rig = Rig::default();
    rig.give(Input::ReadQuota(1));
    let Some(Effect::Catalog(CatalogEffect::Quota(1, Err(error)))) = rig.effects.last() else { panic!() };
    assert_eq!(error.kind, ErrorKind::Unsupported);
}
