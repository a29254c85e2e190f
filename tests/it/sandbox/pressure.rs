//! A plugin that speaks faster than its reader listens: nothing is lost, and nothing piles up.

use super::tape::Tape;
use llm_provider_host::Event;
use llmp_tests::plugins::{ask, instance, naughty, naughty_with};
use llmp_tests::rig::read;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_everything_and_the_plugin_waits_for_it() {
    const QUEUE: usize = 64;
    let plugin = naughty_with(|limits| limits.turn_events = QUEUE).await;
    let tape = Tape::default();
    let session = instance(&plugin).observed(tape.clone()).session();
    let mut turn = ask(&session, "stream 20000").await;
    let (mut read, mut ahead, mut expected) = (0_usize, 0_usize, 0_u64);
    while let Some(item) = turn.next().await {
        read += 1;
        if read % 500 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ahead = ahead.max(tape.events().saturating_sub(read));
        if let Event::TextDelta(delta) = item.expect("no failure") {
            assert_eq!(delta.text, format!("{expected} "));
            expected += 1;
        }
    }
    assert_eq!(expected, 20_000);
    println!("figure: of 20000 events, at most {ahead} waited for a slow reader with a queue of {QUEUE}");
    assert!(ahead <= QUEUE + 200, "{ahead}: the queue, one call of 100 events, and one that is being read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_stops_the_plugin() {
    let plugin = naughty_with(|limits| limits.turn_events = 64).await;
    let tape = Tape::default();
    let session = instance(&plugin).observed(tape.clone()).session();
    let turn = ask(&session, "stream 100000").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let first = tape.events();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tape.events(), first, "it spoke on");
    assert!(first < 1_000, "{first}");
    drop(turn);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_of_one_call_all_arrive() {
    let session = instance(&naughty().await).session();
    let seen = read(ask(&session, "events 40000").await).await;
    assert!(seen.error.is_none(), "{:?}", seen.error);
    assert_eq!(seen.count("notice"), 40_000);
}

/// A plugin that invokes a tool far too often: each call is answered, and no more run than may.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_tool_calls_is_answered_and_the_turn_ends() {
    let session = instance(&naughty().await).session();
    let seen = read(ask(&session, "tools 20000").await).await;
    assert!(seen.error.is_none(), "{:?}", seen.error);
    let seen = read(ask(&session, "still there").await).await;
    assert_eq!(seen.text, "still there");
}
