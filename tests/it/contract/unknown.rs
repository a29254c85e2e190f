//! Services that say more than this version knows.

use super::Subject;
use super::shape::well_formed;
use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::{Event, FinishReason};
use llmp_model_server::{Finish, Reply, Script};
use llmp_tests::rig::Flavor;
use serde_json::{Value, json};

contract! {
    http: [
        unknown_fields_and_events_are_ignored,
        an_unknown_way_to_stop_is_passed_on,
    ]
}

/// An answer with fields, events and comments of the future.
fn future(flavor: Flavor) -> String {
    let event = |data: Value| format!("data: {data}\n\n");
    let telepathy = |data: Value| format!("event: telepathy\ndata: {data}\n\n");
    let parts = match flavor {
        Flavor::Chat => vec![
            event(json!({"id": "c", "era": {"new": [1, {"x": null}]}, "choices": [
                {"index": 0, "mood": "good", "delta": {"role": "assistant", "content": "Hi", "aura": [{}]}}]})),
            telepathy(json!({"type": "telepathy", "strength": 9})),
            event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "z": 1}]})),
            "data: [DONE]\n\n".to_owned(),
        ],
        Flavor::Responses => vec![
            event(json!({"type": "response.created", "era": [1], "response": {"model": "m", "x": {}}})),
            telepathy(json!({"type": "response.telepathy.delta", "delta": {"strength": 9}})),
            event(json!({"type": "response.output_text.delta", "output_index": 0, "delta": "Hi", "aura": []})),
            event(json!({"type": "response.completed", "response": {"status": "completed", "mood": "good", "output": [
                {"type": "message", "aura": 1, "content": [{"type": "output_text", "text": "Hi", "y": 0}]}]}})),
        ],
        Flavor::Anthropic => vec![
            event(json!({"type": "message_start", "era": 1, "message": {"model": "m", "content": [], "x": {}}})),
            "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned(),
            telepathy(json!({"type": "telepathy", "delta": "of another shape"})),
            event(json!({"type": "content_block_start", "index": 0,
                "content_block": {"type": "text", "text": "", "aura": []}})),
            event(json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": "Hi", "y": {}}})),
            event(json!({"type": "content_block_stop", "index": 0, "z": 1})),
            event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "mood": "good"},
                "usage": {"w": 1}})),
            event(json!({"type": "message_stop"})),
        ],
        Flavor::Gemini => vec![
            event(json!({"responseId": "r", "era": 1, "candidates": [{"index": 0, "mood": "good", "content": {
                "role": "model", "aura": [], "parts": [{"text": "Hi", "y": {}}]}}]})),
            telepathy(json!({"telepathy": {"strength": 9}})),
            event(json!({"usageMetadata": {"w": 1}, "candidates": [{"index": 0, "finishReason": "STOP", "z": 1}]})),
        ],
    };
    format!(": keep-alive\n\nid: 7\nretry: 10\n{}", parts.concat())
}

async fn unknown_fields_and_events_are_ignored(subject: Subject) {
    let rig = subject.http(Script::new(Reply::raw_events([future(subject.flavor())]))).await;
    let seen = rig.ask("hello from the past").await;
    well_formed(&seen);
    assert_eq!((&seen.answered().reason, seen.block_text().as_str()), (&FinishReason::Stop, "Hi"));
    let notices: Vec<_> = seen
        .events
        .iter()
        .filter_map(|event| if let Event::Notice(notice) = event { Some(notice) } else { None })
        .collect();
    let [notice] = &notices[..] else { panic!("one notice tells of it: {notices:#?}") };
    assert!(matches!(notice.kind, NoticeKind::UnknownEventIgnored), "{notice:?}");
    assert!(notice.message.starts_with("1 "), "how many: {}", notice.message);
}

async fn an_unknown_way_to_stop_is_passed_on(subject: Subject) {
    // A Responses stream says it in another place: by the reason why it is incomplete.
    if subject.flavor() == Flavor::Responses {
        return;
    }
    let rig = subject.http(Script::new(Reply::text("so").finish(Finish::Other("tired".into())))).await;
    let seen = rig.ask("go on").await;
    well_formed(&seen);
    assert_eq!(seen.answered().reason, FinishReason::Other("tired".into()));
}
