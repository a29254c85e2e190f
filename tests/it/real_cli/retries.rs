//! The CLI asks the model again in mid-stream: no text twice, none lost.

use llmp_model_server::{Reply, Script};
use llmp_tests::rig::{Rig, Seen, Wire};
use serde_json::json;

/// Half an answer that breaks, then the whole.
async fn after_a_break(name: &str, wire: Wire, broken: Reply) {
    let script = Script::new(Reply::deltas(["one ", "two ", "three"])).then(broken);
    let Some(rig) = Rig::real_with(name, script, wire, json!({})).await else { return };
    let session = rig.instance.session();
    let seen = rig.send(&session, "count").await;
    seen.answered();
    once(&seen);
    assert_eq!(rig.model.seen(), 2, "{wire:?}");
    // The half that counts for nothing is in no history.
    rig.send(&session, "and on").await.answered();
    let texts: Vec<String> = rig.last_request().dialogue().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["count", "one two three", "and on"], "{wire:?}");
}

fn once(seen: &Seen) {
    assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("one two three", "one two three"));
    let shown = seen.count("attempt-abandoned");
    assert_eq!(seen.count("attempt-started"), shown + 1, "{:?}", seen.kinds());
    assert_eq!(shown, 1, "half was seen, so it is taken back: {:?}", seen.kinds());
    assert!(!seen.notices().is_empty(), "the retry is told");
}

/// Slow enough that the client has read what stands before the break.
fn half() -> Reply {
    Reply::deltas(["one ", "twx ", "never"]).pause_after(2, std::time::Duration::from_millis(300))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_connection() {
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        after_a_break("a_reset_connection", wire, half().reset_after(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_connection() {
    after_a_break("a_closed_connection", Wire::Completions, half().close_after(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_stream() {
    after_a_break("a_truncated_stream", Wire::Completions, half().truncate_after(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_in_the_thinking() {
    let broken = Reply::new().reasoning(["first ", "thought"]).and_deltas(["x"]);
    let broken = broken.pause_after(1, std::time::Duration::from_millis(300)).reset_after(1);
    let whole = Reply::new().reasoning(["second ", "thought"]).and_deltas(["answer"]);
    let script = Script::new(whole).then(broken);
    let Some(rig) = Rig::real("a_reset_in_the_thinking", script).await else { return };
    let seen = rig.ask("think").await;
    seen.answered();
    assert_eq!((seen.thinking.as_str(), seen.text.as_str()), ("second thought", "answer"));
    assert_eq!(seen.blocks().len(), 2, "{:#?}", seen.blocks());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_before_anything_was_said_is_only_noticed() {
    let script = Script::new(Reply::text("whole")).then(Reply::text("never").reset()).then(Reply::error(500, "oops"));
    let Some(rig) = Rig::real("a_reset_before_anything_was_said_is_only_noticed", script).await else { return };
    let seen = rig.ask("go").await;
    seen.answered();
    assert_eq!((seen.text.as_str(), seen.count("attempt-abandoned"), rig.model.seen()), ("whole", 0, 3));
    assert_eq!(seen.notices().len(), 2, "{:?}", seen.notices());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_breaks_in_a_row() {
    let script =
        Script::new(Reply::deltas(["one ", "two ", "three"])).then(half().reset_after(2)).then(half().reset_after(2));
    let Some(rig) = Rig::real("several_breaks_in_a_row", script).await else { return };
    let seen = rig.ask("count").await;
    seen.answered();
    assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("one two three", "one two three"));
    assert_eq!((seen.count("attempt-started"), seen.count("attempt-abandoned")), (3, 2), "{:?}", seen.kinds());
}
