//! Turns on their way to an instance that ends under somebody else's turn: the plugin has not heard of them, and they have the
//! fresh instance. The runtime has one thread, so that the order of things is the same in every run.

use super::bystander::{PATIENCE, assert_answers, fault_in};
use super::tape::Tape;
use llm_provider_host::wit::provider::{Input, Turn};
use llm_provider_host::wit::types::Block;
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

/// Nobody's deadline waits for a reader: neither that of the turn that is not read, nor its neighbour's.
#[tokio::test]
async fn a_turn_that_is_never_read_ends_at_its_deadline_and_holds_up_nobody_longer() {
    const DEADLINE: Duration = Duration::from_millis(200);
    let plugin = naughty_with(|limits| (limits.turn_events, limits.cancel_grace) = (4, DEADLINE)).await;
    let instance = instance(&plugin);
    let sessions: Vec<_> = (0..3).map(|_| instance.session()).collect();
    let [unread, held, waits] = &sessions[..] else { panic!("three") };
    let mut held = ask(held, "hold").await;
    assert!(held.next().await.is_some_and(|item| item.is_ok()));
    let limited = TurnRequest { deadline: Some(DEADLINE), ..once(vec![user_message("stream 1000")]) };
    let unread = unread.turn(limited).await.expect("a turn");
    tokio::time::sleep(MOMENT).await;
    held.canceller().cancel();
    let both = async { tokio::join!(said(waits, "hello"), read(held)) };
    let (answered, cancelled) = tokio::time::timeout(PATIENCE, both).await.expect("in time");
    assert_eq!(answered.text, "hello", "{:?}", answered.error);
    assert!(cancelled.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", cancelled.error);
    let ended = read(unread).await.error;
    assert!(matches!(ended, Some(TurnError::Host(HostError::TurnDeadline(DEADLINE)))), "{ended:?}");
}

/// Who gives a turn up and asks again is heard in this order: to most plugins two turns of a session at once are a mistake.
#[tokio::test]
async fn a_turn_is_cancelled_before_the_next_begins() {
    let tape = Tape::default();
    let instance = instance(&naughty_with(|_| ()).await).observed(tape.clone());
    let session = instance.session();
    for _ in 0..20 {
        let mut held = ask(&session, "hold").await;
        assert!(held.next().await.is_some_and(|item| item.is_ok()));
        drop(held);
        assert_eq!(said(&session, "hello").await.text, "hello");
    }
    let mut open = 0;
    for input in tape.calls().into_iter().flatten() {
        match input {
            Input::StartTurn(turn) => {
                assert_eq!(open, 0, "turn {} begins beside another", turn.id);
                open += i32::from(user_text(&turn) == "hold");
            }
            Input::CancelTurn(_) => open -= 1,
            _ => {}
        }
    }
}

fn user_text(turn: &Turn) -> String {
    let blocks = turn.history.iter().flat_map(|message| &message.blocks);
    blocks.map(|block| if let Block::Text(text) = block { text.text.as_str() } else { "" }).collect()
}

/// Many large conversations at once would take longer than one call may.
#[tokio::test]
async fn a_call_is_given_no_more_conversations_than_it_can_bear() {
    const LARGE: usize = 600;
    let tape = Tape::default();
    let plugin = naughty_with(|limits| limits.prompt_bytes = 1_000).await;
    let instance = instance(&plugin).observed(tape.clone());
    instance.start().await.expect("started");
    let sessions: Vec<_> = (0..20).map(|_| instance.session()).collect();
    let mut turns = Vec::new();
    for session in &sessions {
        turns.push(ask(session, &"x".repeat(LARGE)).await);
    }
    for turn in turns {
        assert_eq!(read(turn).await.text.len(), LARGE);
    }
    let large = |input: &Input| matches!(input, Input::StartTurn(_));
    let counts: Vec<usize> = tape.calls().iter().map(|call| call.iter().filter(|input| large(input)).count()).collect();
    assert!(counts.iter().all(|count| *count <= 2), "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), 20);
}

/// Whoever closes an instance may go away at once, whatever waits in its mailbox.
#[tokio::test]
async fn a_close_goes_on_without_the_caller() {
    let plugin = naughty_with(|limits| limits.mailbox = 1).await;
    let tenant = plugin.host().tenant(policy());
    let instance = tenant.instance(&plugin, "{}").expect("an instance");
    let (spins, waits) = (instance.session(), instance.session());
    let spun = ask(&spins, "spin").await;
    tokio::time::sleep(MOMENT).await;
    let waiting = ask(&waits, "hello").await;
    assert!(tokio::time::timeout(Duration::ZERO, instance.close()).await.is_err(), "it computes");
    let gone = async {
        while tenant.usage().held.get(&Quota::Instances).is_some_and(|held| *held > 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("its place is free, though its turns are held");
    drop((spun, waiting));
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
