//! Plugins that hand over too much, or things that are none.

use super::{said, tenant, turn};
use crate::measure::{Peak, alone, resident};
use llm_provider_host::{Event, PluginFault, Quota, Session, TurnError};
use llmp_test_hostile::Row;
use llmp_tests::plugins::{ask, hostile, hostile_with};
use std::time::{Duration, Instant};

/// A string that is refused before the host has it.
async fn refused(session: &Session, bytes: usize) {
    let ended = turn(session, &format!("huge {bytes}")).await.error;
    let Some(TurnError::Fault(fault)) = ended else { panic!("not refused: {ended:?}") };
    assert!(matches!(fault, PluginFault::Limit { limit: "call_data_bytes", configured: 1_048_576, .. }), "{fault}");
}

pub(super) async fn g05_giant_strings_and_strings_that_are_none() {
    /// Of 32 MiB. The plugin itself has it three times: as made, as a delta, and as a block.
    const STRING: usize = 32 << 20;
    if !alone("guests::g05_giant_strings_and_strings_that_are_none") {
        return;
    }
    let plugin = hostile_with(Row::G05, |limits| limits.call_data_bytes = 1 << 20).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("an instance").session();
    refused(&session, 2 << 20).await; // so that what the host needs once for a fault is there
    said(&session, "warm").await;
    let peak = Peak::begin();
    refused(&session, STRING).await;
    let grown = peak.grown();
    let own = grown.saturating_sub(3 * STRING);
    println!("figure: a string of 32 MiB took {} KiB of the host beside the plugin's own memory", own >> 10);
    assert!(grown > 3 * STRING - (4 << 20), "the plugin has it three times: {grown}");
    assert!(own < 2 << 20, "{own}");
    let Some(TurnError::Fault(fault)) = turn(&session, "no-text").await.error else { panic!("not refused") };
    let PluginFault::Trapped(says) = &fault else { panic!("{fault:?}") };
    assert!(says.contains("utf-8") || says.contains("UTF-8"), "{says}");
    assert_eq!(said(&session, "still here").await, "still here");
}

pub(super) async fn g06_a_flood_for_a_reader_that_sleeps_or_leaves() {
    if !alone("guests::g06_a_flood_for_a_reader_that_sleeps_or_leaves") {
        return;
    }
    let plugin = hostile(Row::G06).await;
    let tenant = tenant(&plugin, |policy| policy);
    let instance = tenant.instance(&plugin, "{}").expect("an instance");
    let session = instance.session();
    said(&session, "warm").await;
    let before = resident();
    let mut turn = ask(&session, "stream 10000000").await;
    assert!(matches!(turn.next().await, Some(Ok(Event::AttemptStarted(_)))));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let more = resident().saturating_sub(before);
    println!("figure: ten million events for a reader that sleeps took {} KiB", more >> 10);
    assert!(more < 8 << 20, "{more}");
    drop((turn, session, instance));
    let begin = Instant::now();
    while tenant.usage().held.get(&Quota::Instances).is_some_and(|held| *held > 0) {
        assert!(begin.elapsed() < Duration::from_secs(10), "the instance lives on");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("figure: with its reader gone, the instance was gone after {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(1), "ten times the promise of 100 ms");
}

/// The world has no handles that could be forged or used up; its ids are numbers, and unknown ones mean nothing.
pub(super) async fn g07_forged_ids() {
    let plugin = hostile(Row::G07).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("an instance").session();
    for _ in 0..10 {
        assert_eq!(said(&session, "forge 10000").await, "done");
    }
    let seen = turn(&session, "unknown-turn").await;
    assert!(matches!(seen.error, Some(TurnError::Fault(PluginFault::Contract(_)))), "{:?}", seen.error);
    assert_eq!(said(&session, "still here").await, "still here");
}
