//! Turns on their way to an instance that ends under somebody else's turn: the plugin has not heard of them, and they have the
//! fresh instance. The runtime has one thread, so that the order of things is the same in every run.

use super::bystander::{PATIENCE, assert_answers, fault_in};
use llm_provider_host::{HostError, PluginFault, Quota, Quotas, Session, TurnError, TurnRequest, user_message};
use llmp_tests::plugins::{ask, instance, naughty_with, policy};
use llmp_tests::rig::{Seen, once, read};
use std::time::Duration;

/// Time for the actor to take up what it was given, and no more than that.
const MOMENT: Duration = Duration::from_millis(50);

async fn said(session: &Session, prompt: &str) -> Seen {
    read(ask(session, prompt).await).await
}

#[tokio::test]
async fn turns_behind_a_call_that_does_not_end_are_answered_by_the_next_instance() {
    let plugin = naughty_with(|limits| limits.mailbox = 1).await;
    let instance = instance(&plugin);
    let sessions: Vec<_> = (0..4).map(|_| instance.session()).collect();
    let [spins, waits, has_no_room, keeps] = &sessions[..] else { panic!("four") };
    let spun = ask(spins, "spin").await;
    tokio::time::sleep(MOMENT).await;
    let behind =
        async { tokio::join!(said(waits, "one"), said(has_no_room, "two"), keeps.send("three", once(vec![]))) };
    let (one, two, three) = tokio::time::timeout(PATIENCE, behind).await.expect("in time");
    let spun = read(spun).await.error;
    assert!(matches!(spun, Some(TurnError::Fault(PluginFault::CallBudget { .. }))), "{spun:?}");
    assert_eq!((one.text.as_str(), two.text.as_str()), ("one", "two"), "{:?} {:?}", one.error, two.error);
    assert_eq!(read(three.expect("a turn")).await.text, "three");
    assert_eq!(keeps.history().len(), 2, "the question and its answer");
}

#[tokio::test]
async fn a_turn_taken_in_before_a_breach_and_not_handed_over_is_answered_by_the_next_instance() {
    let plugin = naughty_with(|limits| limits.turn_events = 4).await;
    let instance = instance(&plugin);
    let (breaks, waits) = (instance.session(), instance.session());
    let broken = ask(&breaks, "blocks-without-end").await;
    tokio::time::sleep(MOMENT).await; // its reader does not read: the call's effects wait for it
    let waiting = ask(&waits, "after it").await;
    tokio::time::sleep(MOMENT).await;
    let (broken, waited) = tokio::join!(read(broken), read(waiting));
    assert!(matches!(broken.error, Some(TurnError::Fault(PluginFault::Contract(_)))), "{:?}", broken.error);
    assert!(waited.error.is_none(), "{:?}", waited.error);
    assert_eq!(waited.text, "after it");
}

#[tokio::test]
async fn a_turn_given_up_on_its_way_is_cancelled_and_asked_nowhere() {
    let plugin = naughty_with(|limits| limits.mailbox = 1).await;
    let instance = instance(&plugin);
    let (spins, waits) = (instance.session(), instance.session());
    let spun = ask(&spins, "spin").await;
    tokio::time::sleep(MOMENT).await;
    let waiting = ask(&waits, "hello").await;
    waiting.canceller().cancel();
    let (spun, waited) = tokio::join!(read(spun), read(waiting));
    assert!(matches!(spun.error, Some(TurnError::Fault(_))), "{:?}", spun.error);
    assert!(waited.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", waited.error);
    assert_eq!(waited.text, "");
    assert_answers(&waits).await;
}

#[tokio::test]
async fn a_deadline_holds_where_there_is_no_room_for_the_turn() {
    const DEADLINE: Duration = Duration::from_millis(100);
    let change = |limits: &mut llm_provider_host::Limits| {
        (limits.mailbox, limits.call_budget) = (1, Duration::from_secs(2));
    };
    let plugin = naughty_with(change).await;
    let instance = instance(&plugin);
    let sessions: Vec<_> = (0..3).map(|_| instance.session()).collect();
    let [spins, waits, has_no_room] = &sessions[..] else { panic!("three") };
    let spun = ask(spins, "spin").await;
    tokio::time::sleep(MOMENT).await;
    let waiting = ask(waits, "hello").await;
    let late = TurnRequest { deadline: Some(DEADLINE), ..once(vec![user_message("late")]) };
    let refused = has_no_room.turn(late).await.err();
    assert!(matches!(refused, Some(TurnError::Host(HostError::TurnDeadline(DEADLINE)))), "{refused:?}");
    let (spun, waited) = tokio::join!(read(spun), read(waiting));
    assert!(spun.error.is_some() && waited.error.is_none(), "{:?} {:?}", spun.error, waited.error);
}

/// An instance, a session, the sandbox of a pool of one: whoever hears of the end finds them free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_places_of_an_instance_are_free_when_its_end_is_told() {
    let plugin = naughty_with(|limits| limits.instances = 1).await;
    let mut quotas = Quotas::default();
    (quotas.instances, quotas.sessions) = (1, 1);
    let tenant = plugin.host().tenant(policy().quotas(quotas));
    let (one, two) = (tenant.instance(&plugin, "{}"), tenant.instance(&plugin, "{}"));
    let (one, two) = (one.expect("an instance"), two.expect("an instance"));
    for _ in 0..200 {
        let session = one.session();
        fault_in(&session, "panic").await;
        assert_answers(&session).await;
        one.close().await;
        two.start().await.expect("room for one");
        two.close().await;
    }
    assert_eq!(tenant.usage().refused.get(&Quota::Instances), None);
}
