//! The end of turns and sessions that their owner no longer wants.

use super::bystander::{assert_answers, held};
use super::tape::Tape;
use llm_provider_host::wit::provider::Input;
use llm_provider_host::{HostError, Instance, TurnError};
use llmp_tests::plugins::{ask, instance, naughty, naughty_with};
use llmp_tests::rig::read;
use std::time::{Duration, Instant};

/// Far more than a cancel takes, and less than the 600 s after which a deadline would end a forgotten turn.
const SOON: Duration = Duration::from_secs(20);

async fn observed() -> (Instance, Tape) {
    let tape = Tape::default();
    (instance(&naughty().await).observed(tape.clone()), tape)
}

fn is_cancel(input: &Input) -> bool {
    matches!(input, Input::CancelTurn(_))
}

fn is_close(input: &Input) -> bool {
    matches!(input, Input::CloseSession(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceller_ends_the_turn_and_the_session_goes_on() {
    let (_instance, session, turn) = held(&naughty().await).await;
    let begin = Instant::now();
    turn.canceller().cancel();
    turn.canceller().cancel();
    let seen = read(turn).await;
    println!("figure: a cancelled turn ended after {:?}", begin.elapsed());
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_turn_is_cancelled() {
    let (instance, tape) = observed().await;
    let session = instance.session();
    let mut turn = ask(&session, "hold").await;
    assert!(turn.next().await.expect("an event").is_ok());
    drop(turn);
    tape.until(1, is_cancel).await;
    assert_answers(&session).await;
}

/// On one thread the actor sees the question and its cancel together, whichever came first.
#[tokio::test]
async fn a_cancel_right_after_the_question_is_not_lost() {
    let (instance, session, turn) = held(&naughty().await).await;
    drop(turn);
    let turn = ask(&session, "hold").await;
    turn.canceller().cancel();
    let seen = tokio::time::timeout(SOON, read(turn)).await.expect("the cancel was lost");
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
    instance.close().await;
}

#[tokio::test]
async fn a_turn_dropped_right_after_the_question_is_cancelled() {
    let (instance, tape) = observed().await;
    instance.start().await.expect("started");
    let session = instance.session();
    drop(ask(&session, "hold").await);
    let given = async {
        loop {
            let (started, cancelled) =
                (tape.count(|input| matches!(input, Input::StartTurn(_))), tape.count(is_cancel));
            if started == cancelled && started > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(SOON, given).await.expect("the turn runs on, and nobody reads it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_session_is_closed_after_its_turn_was_cancelled() {
    let (instance, tape) = observed().await;
    let session = instance.session();
    let mut turn = ask(&session, "hold").await;
    assert!(turn.next().await.expect("an event").is_ok());
    drop(session);
    let seen = tokio::time::timeout(SOON, read(turn)).await.expect("ended");
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
    tape.until(1, is_close).await;
    assert_eq!(tape.count(is_cancel), 1);
}

#[tokio::test]
async fn a_session_dropped_right_after_its_question_is_closed() {
    let (instance, tape) = observed().await;
    instance.start().await.expect("started");
    let session = instance.session();
    let turn = ask(&session, "hold").await;
    drop(session);
    drop(turn);
    tape.until(1, is_close).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_instance_ends_its_turns_and_a_later_turn_starts_afresh() {
    let (instance, session, turn) = held(&naughty().await).await;
    tokio::time::timeout(SOON, instance.close()).await.expect("closed");
    let seen = read(turn).await;
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
    assert_answers(&session).await;
    instance.close().await;
    instance.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_does_not_wait_for_a_plugin_that_does_not_end_its_turns() {
    let plugin = naughty_with(|limits| limits.shutdown_grace = Duration::from_millis(100)).await;
    let instance = instance(&plugin);
    let session = instance.session();
    let mut turn = ask(&session, "deaf").await;
    assert!(turn.next().await.expect("an event").is_ok());
    tokio::time::timeout(SOON, instance.close()).await.expect("closed");
    let seen = read(turn).await;
    assert!(matches!(seen.error, Some(TurnError::Host(HostError::Closed))), "{:?}", seen.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_does_not_wait_for_a_reader_that_does_not_read() {
    let plugin = naughty_with(|limits| {
        limits.shutdown_grace = Duration::from_millis(100);
        limits.turn_events = 8;
    })
    .await;
    let instance = instance(&plugin);
    let session = instance.session();
    let turn = ask(&session, "stream 1000").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    tokio::time::timeout(SOON, instance.close()).await.expect("closed, though a turn is not read");
    drop(turn);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_the_plugin_while_nobody_reads() {
    let tape = Tape::default();
    let plugin = naughty_with(|limits| limits.turn_events = 8).await;
    let instance = instance(&plugin).observed(tape.clone());
    let session = instance.session();
    let turn = ask(&session, "stream 1000000").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    turn.canceller().cancel();
    tape.until(1, is_cancel).await;
    let seen = read(turn).await;
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_dropped_unread_lets_the_others_go_on() {
    let plugin = naughty_with(|limits| limits.turn_events = 8).await;
    let instance = instance(&plugin);
    let (slow, other) = (instance.session(), instance.session());
    let turn = ask(&slow, "stream 1000000").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(turn);
    assert_answers(&other).await;
    assert_answers(&slow).await;
}
