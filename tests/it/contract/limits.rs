//! Long answers, and answers that are too long.

use super::Subject;
use super::shape::well_formed;
use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llmp_model_server::{Reply, Script};
use llmp_tests::fake_cli::delta_text;

contract! {
    http: [
        a_mebibyte_in_one_event,
        ten_thousand_events,
        an_event_without_an_end_is_given_up,
        a_long_history,
    ]
}

const MEBIBYTE: usize = 1 << 20;

async fn a_mebibyte_in_one_event(subject: Subject) {
    let text = "0123456789abcde\u{e9}".repeat(MEBIBYTE / 16);
    assert!(text.len() > MEBIBYTE);
    let rig = subject.http(Script::new(Reply::text(text.clone()))).await;
    let seen = rig.ask("everything at once").await;
    well_formed(&seen);
    assert!(seen.text == text && seen.block_text() == text, "{:?}", seen.error);
    seen.answered();
}

async fn ten_thousand_events(subject: Subject) {
    let deltas: Vec<String> = (0..10_000).map(delta_text).collect();
    let rig = subject.http(Script::new(Reply::deltas(deltas.clone()))).await;
    let seen = rig.ask("bit by bit").await;
    well_formed(&seen);
    assert!(seen.text == deltas.concat(), "{:?}", seen.error);
    assert_eq!(seen.count("text-delta"), 10_000);
    seen.answered();
}

/// A line that never ends does not fill the memory.
async fn an_event_without_an_end_is_given_up(subject: Subject) {
    let endless = std::iter::once("data: ".to_owned()).chain((0..64).map(|_| "x".repeat(MEBIBYTE / 2)));
    let rig = subject.http(Script::new(Reply::text("fine")).then(Reply::raw_events(endless))).await;
    let seen = rig.ask("without end").await;
    well_formed(&seen);
    let told = seen.failure();
    assert_eq!((told.kind, told.verdict), (ErrorKind::Protocol, Verdict::Surface), "{told:?}");
    rig.client_left().await;
    assert_eq!(rig.ask("and now").await.text, "fine");
}

async fn a_long_history(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("noted"))).await;
    let texts: Vec<String> = (0..201).map(|at| format!("{at:03} {}", "x".repeat(10_000))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let request = llmp_tests::rig::once(llmp_tests::rig::conversation(&texts));
    rig.turn(&rig.instance.session(), request).await.answered();
    let dialogue = rig.last_request().dialogue();
    assert!(dialogue.len() == 201 && dialogue.iter().zip(&texts).all(|((_, said), text)| said == text));
}
