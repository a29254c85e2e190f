//! An answer while it comes.

use super::shape::well_formed;
use super::{GEMINI, Subject};
use llm_provider_host::{Block, Event, FinishReason, TurnRequest};
use llmp_model_server::{Finish, Gate, Reply, Script};
use llmp_tests::rig::{PATIENCE, Seen, once, read};

contract! {
    everywhere: [
        an_answer_comes_in_order,
        a_delta_is_told_before_the_next_is_made,
    ],
    http: [
        every_way_to_stop_is_told,
        a_whole_answer_is_one_too,
        an_answer_without_a_word_is_none,
    ]
}

fn thoughtful() -> Reply {
    Reply::new().reasoning(["think ", "hard"]).and_deltas(["Hel", "lo ", "w\u{f6}rld"])
}

async fn an_answer_comes_in_order(subject: Subject) {
    let name = "an_answer_comes_in_order";
    let Some(rig) = subject.rig(name, Script::new(thoughtful())).await else { return };
    let seen = rig.ask("say it").await;
    well_formed(&seen);
    let finished = seen.answered();
    assert_eq!(finished.reason, FinishReason::Stop);
    assert_eq!((seen.thinking.as_str(), seen.text.as_str()), ("think hard", "Hello w\u{f6}rld"));
    let blocks = seen.blocks();
    let [Block::Thinking(thinking), Block::Text(text)] = &blocks[..] else { panic!("{blocks:#?}") };
    assert_eq!((thinking.text.as_str(), text.text.as_str()), ("think hard", "Hello w\u{f6}rld"));
    assert_eq!(finished.model.as_deref(), Some("stub-model"));
    if let Subject::Http(_) = subject {
        assert_eq!(thinking.signature.is_some(), subject.signs_thinking());
        assert_eq!((seen.count("text-delta"), seen.count("thinking-delta")), (3, 2), "as they were sent");
        // Gemini's answers have names, and no request has.
        let name = if subject == GEMINI { "resp_1" } else { "req_1" };
        assert_eq!(finished.provider_request_id.as_deref(), Some(name));
        let kinds = seen.kinds();
        assert_eq!(kinds[..2], ["attempt-started", "block-started"]);
        assert_eq!(kinds[kinds.len() - 2..], ["usage", "finished"]);
        assert!(seen.events.iter().all(|event| !matches!(event, Event::Notice(_))), "{:#?}", seen.events);
    }
}

/// Streaming, not a whole answer cut into pieces: the server waits until the first delta was read.
async fn a_delta_is_told_before_the_next_is_made(subject: Subject) {
    let gate = Gate::new();
    let script = Script::new(Reply::deltas(["early ", "late"]).gate_after(1, &gate));
    let Some(rig) = subject.rig("a_delta_is_told_before_the_next_is_made", script).await else { return };
    let session = rig.instance.session();
    let mut turn = session.send("slowly", once(Vec::new())).await.expect("started");
    let mut seen = Seen::default();
    let early = async {
        while seen.text.is_empty() {
            seen.note(turn.next().await.expect("an item").expect("an event"));
        }
    };
    tokio::time::timeout(PATIENCE, early).await.expect("the first delta comes alone");
    assert_eq!(seen.text, "early ");
    gate.open();
    let rest = read(turn).await;
    rest.answered();
    assert_eq!(seen.text + &rest.text, "early late");
}

async fn every_way_to_stop_is_told(subject: Subject) {
    let rig = subject.http(Script::echo()).await;
    let ways = [
        (Finish::Stop, FinishReason::Stop),
        (Finish::Length, FinishReason::Length),
        (Finish::ContentFilter, FinishReason::ContentFilter),
    ];
    for (finish, reason) in ways {
        rig.model.push(Reply::text("so far").finish(finish)).expect("room");
        let seen = rig.ask("go on").await;
        well_formed(&seen);
        assert_eq!((&seen.answered().reason, seen.block_text().as_str()), (&reason, "so far"));
    }
}

/// Some servers do not stream although they were asked to.
async fn a_whole_answer_is_one_too(subject: Subject) {
    let whole = match subject.flavor() {
        llmp_tests::rig::Flavor::Chat => {
            r#"{"model":"m","choices":[{"message":{"role":"assistant","content":"All."},"finish_reason":"stop"}]}"#
        }
        llmp_tests::rig::Flavor::Responses => {
            r#"{"model":"m","status":"completed","output":[{"type":"message","role":"assistant",
            "content":[{"type":"output_text","text":"All."}]}]}"#
        }
        llmp_tests::rig::Flavor::Anthropic => {
            r#"{"type":"message","role":"assistant","model":"m","stop_reason":"end_turn",
            "content":[{"type":"text","text":"All."}]}"#
        }
        llmp_tests::rig::Flavor::Gemini => {
            r#"{"modelVersion":"m","candidates":[{"index":0,"finishReason":"STOP",
            "content":{"role":"model","parts":[{"text":"All."}]}}]}"#
        }
    };
    let rig = subject.http(Script::new(Reply::raw(200, "application/json; charset=utf-8", [whole]))).await;
    let seen = rig.turn(&rig.instance.session(), TurnRequest::new(vec![llm_provider_host::user_message("?")])).await;
    well_formed(&seen);
    assert_eq!((&seen.answered().reason, seen.text.as_str()), (&FinishReason::Stop, "All."));
    assert_eq!(seen.answered().model.as_deref(), Some("m"));
}

async fn an_answer_without_a_word_is_none(subject: Subject) {
    let rig = subject.http(Script::new(Reply::new())).await;
    let seen = rig.ask("say something").await;
    well_formed(&seen);
    let told = seen.failure();
    assert!(told.request_sent && !told.output_seen, "{told:?}");
    assert_eq!(told.kind, llm_provider_host::wit::errors::ErrorKind::Internal);
}
