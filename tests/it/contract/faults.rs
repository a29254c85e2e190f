//! A way to the service that breaks, and answers that do not end.

use super::Subject;
use super::shape::well_formed;
use llm_provider_host::ProviderError;
use llm_provider_host::wit::errors::{ErrorKind as Kind, Verdict};
use llm_provider_host::{TurnRequest, user_message};
use llmp_model_server::{ModelError, Reply, Script};
use llmp_tests::rig::{Rig, Seen, once, read};
use std::time::{Duration, Instant};

contract! {
    everywhere: [
        a_silent_model_is_given_up,
    ],
    http: [
        a_connection_that_breaks_before_the_answer,
        an_answer_that_is_cut_off,
        an_error_in_the_middle_of_an_answer,
        an_answer_of_another_world,
        a_service_that_is_not_there,
        a_complete_answer_counts_though_the_connection_breaks,
    ]
}

/// A failing turn; the instance answers the next one.
async fn fails(rig: &Rig, reply: Reply) -> Seen {
    rig.model.push(reply).expect("room");
    let seen = rig.ask("will it fail?").await;
    well_formed(&seen);
    let told = seen.failure();
    assert!(told.request_sent && !told.tools_ran, "{told:?}");
    assert_eq!(told.output_seen, !seen.text.is_empty(), "{told:?}");
    assert!(!told.message.is_empty() && !told.message.contains('\n'), "{:?}", told.message);
    let next = rig.ask("is it over?").await;
    assert_eq!(next.text, "fine", "{:?}", next.error);
    seen
}

fn facts(error: &ProviderError) -> (Kind, Verdict, Option<u16>) {
    (error.kind, error.verdict, error.http_status)
}

async fn rig(subject: Subject) -> Rig {
    subject.http(Script::new(Reply::text("fine"))).await
}

const BROKEN: (Kind, Verdict, Option<u16>) = (Kind::Transport, Verdict::RetryAfter(500), None);

async fn a_connection_that_breaks_before_the_answer(subject: Subject) {
    let rig = rig(subject).await;
    for reply in [Reply::text("never").reset(), Reply::text("never").close()] {
        let before = rig.model.seen();
        let seen = fails(&rig, reply).await;
        assert_eq!((facts(seen.failure()), seen.failure().output_seen), (BROKEN, false));
        assert_eq!(rig.model.seen(), before + 2, "it was sent once, and then the next");
    }
}

async fn an_answer_that_is_cut_off(subject: Subject) {
    let rig = rig(subject).await;
    let half = || Reply::deltas(["half ", "an ", "answer"]);
    let cut = [half().close_after(2), half().truncate_after(2), half().reset_after(2)];
    for (at, reply) in cut.into_iter().enumerate() {
        let seen = fails(&rig, reply).await;
        assert_eq!(facts(seen.failure()), BROKEN, "{at}");
        // A reset may overtake what was sent before it.
        assert!(seen.text == "half an " || at == 2, "{at}: {}", seen.text);
    }
    // Everything was said but the end.
    let seen = fails(&rig, half().truncate_after(9)).await;
    assert_eq!((facts(seen.failure()), seen.text.as_str()), (BROKEN, "half an answer"));
}

/// What breaks off after the service has said that this was all has cost nothing.
async fn a_complete_answer_counts_though_the_connection_breaks(subject: Subject) {
    use llmp_tests::rig::Flavor;
    let rig = rig(subject).await;
    let events = match subject.flavor() {
        Flavor::Chat => concat!(
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"All.\"}}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        ),
        Flavor::Responses => concat!(
            "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"All.\"}\n\n",
            "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\n\n",
        ),
        Flavor::Anthropic => concat!(
            "data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"content\":[]}}\n\n",
            "data: {\"type\":\"content_block_start\",\"index\":0,",
            "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,",
            "\"delta\":{\"type\":\"text_delta\",\"text\":\"All.\"}}\n\n",
            "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
        ),
        Flavor::Gemini => concat!(
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"All.\"}]}}]}\r\n\r\n",
            "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n",
        ),
    };
    rig.model.push(Reply::raw_events([events, ": never sent\n\n"]).close_after(1)).expect("room");
    let seen = rig.ask("all of it?").await;
    well_formed(&seen);
    assert_eq!(seen.text, "All.", "{:?}", seen.error);
    seen.answered();
}

async fn an_error_in_the_middle_of_an_answer(subject: Subject) {
    let rig = rig(subject).await;
    let half = |error| Reply::deltas(["half "]).fail_after(1, error);
    let seen = fails(&rig, half(ModelError::new(500, "lost it"))).await;
    let told = seen.failure();
    assert_eq!((told.kind, told.output_seen), (Kind::Internal, true), "{told:?}");
    assert!(told.message.contains("lost it"), "{}", told.message);
    let busy = ModelError::new(529, "too busy").kind("overloaded_error").code("model_overloaded");
    let seen = fails(&rig, Reply::deltas(["never"]).fail_after(0, busy)).await;
    assert_eq!((seen.failure().kind, seen.failure().output_seen), (Kind::Overloaded, false));
    assert_eq!(seen.failure().verdict, Verdict::RetryAfter(2_000));
}

async fn an_answer_of_another_world(subject: Subject) {
    let rig = rig(subject).await;
    for garbage in ["data: {\"oops\n\n", "data: \u{1f600}\n\n", "data: [1, 2\n\n"] {
        let seen = fails(&rig, Reply::raw_events([garbage])).await;
        assert_eq!(seen.failure().kind, Kind::Protocol, "{garbage:?}");
        assert_eq!(seen.failure().verdict, Verdict::RetryInFreshSession, "{garbage:?}");
    }
    let seen = fails(&rig, Reply::raw(200, "application/json", ["{\"half\": "])).await;
    assert_eq!(seen.failure().kind, Kind::Protocol);
    for nothing in [Vec::new(), vec![": only a comment\n\n"]] {
        let seen = fails(&rig, Reply::raw_events(nothing)).await;
        assert_eq!(facts(seen.failure()), BROKEN);
    }
}

async fn a_silent_model_is_given_up(subject: Subject) {
    let script = Script::new(Reply::text("fine"))
        .then(Reply::deltas(["half ", "LATE"]).hang_after(1))
        .then(Reply::text("LATE").hang());
    let Some(rig) = subject.rig("a_silent_model_is_given_up", script).await else { return };
    let patience = Duration::from_millis(if subject == Subject::Copilot { 1_500 } else { 400 });
    for output_seen in [true, false] {
        let request = once(vec![user_message("well?")]);
        let request = TurnRequest { activity_timeout: Some(patience), ..request };
        let begin = Instant::now();
        let session = rig.instance.session();
        let seen = read(session.turn(request).await.expect("started")).await;
        let told = seen.failure();
        assert_eq!((told.kind, told.output_seen, told.request_sent), (Kind::Timeout, output_seen, true), "{told:?}");
        assert_eq!(told.verdict, Verdict::RetryInFreshSession);
        assert!(begin.elapsed() >= patience);
        rig.client_left().await;
    }
    assert_eq!(rig.ask("again").await.text, "fine");
}

async fn a_service_that_is_not_there(subject: Subject) {
    let Rig { model, instance, home, .. } = rig(subject).await;
    model.stop().await;
    let session = instance.session();
    let seen = read(session.send("anybody?", once(Vec::new())).await.expect("started")).await;
    assert_eq!((facts(seen.failure()), seen.failure().request_sent), (BROKEN, false));
    assert!(seen.failure().hint.is_some());
    drop(home);
}
