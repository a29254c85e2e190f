//! Limits on what an embedder opens: refused with a type, and nothing else is hurt.

use super::bystander::{assert_answers, held};
use llm_provider_host::{HostError, TurnError, TurnRequest, user_message};
use llmp_tests::plugins::{ask, instance, naughty_with};
use llmp_tests::rig::{once, read};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn one_session_too_many_is_refused_until_another_is_closed() {
    let plugin = naughty_with(|limits| limits.sessions = 2).await;
    let instance = instance(&plugin);
    let (one, two) = (instance.session(), instance.session());
    assert_answers(&one).await;
    assert_answers(&two).await;
    let three = instance.session();
    let seen = read(ask(&three, "x").await).await;
    let limit = matches!(seen.error, Some(TurnError::Host(HostError::Limit { limit: "sessions", configured: 2 })));
    assert!(limit, "{:?}", seen.error);
    drop(two);
    let until = async { while read(ask(&three, "x").await).await.error.is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), until).await.expect("room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_sessions_go_on_when_no_other_may_be_opened() {
    let plugin = naughty_with(|limits| limits.sessions = 1).await;
    let session = instance(&plugin).session();
    assert_answers(&session).await;
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_turn_too_many_is_refused_and_the_open_one_goes_on() {
    let plugin = naughty_with(|limits| limits.turns = 1).await;
    let (instance, session, open) = held(&plugin).await;
    let other = instance.session();
    let seen = read(ask(&other, "x").await).await;
    let limit = matches!(seen.error, Some(TurnError::Host(HostError::Limit { limit: "turns", configured: 1 })));
    assert!(limit, "{:?}", seen.error);
    open.canceller().cancel();
    assert!(read(open).await.error.as_ref().is_some_and(TurnError::is_cancelled));
    assert_answers(&other).await;
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_too_many_is_refused_until_another_ends() {
    let plugin = naughty_with(|limits| limits.instances = 1).await;
    let (first, second) = (instance(&plugin), instance(&plugin));
    first.start().await.expect("room for one");
    let error = second.start().await.expect_err("no room");
    assert!(matches!(error, TurnError::Host(HostError::Limit { limit: "instances", configured: 1 })), "{error:?}");
    first.close().await;
    second.start().await.expect("room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_beyond_what_a_clock_can_tell_never_come() {
    let plugin = naughty_with(|limits| {
        (limits.turn_deadline, limits.query_deadline) = (Duration::MAX, Duration::MAX);
        (limits.cancel_grace, limits.shutdown_grace) = (Duration::MAX, Duration::MAX);
    });
    let (instance, session, open) = held(&plugin.await).await;
    assert_answers(&session).await;
    open.canceller().cancel();
    assert!(read(open).await.error.as_ref().is_some_and(TurnError::is_cancelled));
    let request = TurnRequest { deadline: Some(Duration::MAX), ..once(vec![user_message("for ever")]) };
    assert_eq!(read(session.turn(request).await.expect("a turn")).await.text, "for ever");
    instance.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_too_large_is_refused_before_anything_starts() {
    let plugin = naughty_with(|limits| limits.prompt_bytes = 1_000).await;
    let session = instance(&plugin).session();
    let refused = session.turn(TurnRequest::new(vec![user_message("x".repeat(1_001))])).await.err().expect("refused");
    let expected = matches!(refused, TurnError::Host(HostError::PromptTooLarge { configured: 1_000, observed: 1_001 }));
    assert!(expected, "{refused:?}");
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_conversation_passes() {
    let plugin = naughty_with(|_| ()).await;
    let session = instance(&plugin).session();
    let prompt = "\u{1}".repeat(plugin.host().limits().prompt_bytes);
    let seen = read(ask(&session, &prompt).await).await;
    assert!(seen.error.is_none(), "{:?}", seen.error);
    assert_eq!(seen.text.len(), prompt.len());
}
