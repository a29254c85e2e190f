//! Plugins that break the contract about events and tools.

use super::bystander::{assert_answers, fault_of, held};
use llm_provider_host::{PluginFault, TurnError};
use llmp_tests::plugins::{ask, naughty};
use llmp_tests::rig::read;

/// Breaches after which the breaching turn is still open, and what the fault says.
const IN_THE_TURN: &[(&str, &str)] = &[
    ("unknown-turn", "which is not open"),
    ("delta-without-block", "text-delta for block 0, which has not begun"),
    ("block-without-attempt", "block-started without an attempt"),
    ("second-attempt", "attempt 2 began after attempt 1"),
    ("attempt-skipped", "attempt 2 began after attempt 0"),
    ("block-twice", "block 0 began twice"),
    ("block-left-open", "open block"),
    ("delta-after-end", "text-delta for block 0, which is Finished"),
    ("wrong-kind", "thinking-delta for block 0, which is Text"),
    ("end-twice", "block-finished for block 0, which is Finished"),
];

/// Breaches that come after the breaching turn has ended.
const AFTER_THE_TURN: &[&str] = &["after-terminal", "double-terminal", "late-tool"];

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_ends_the_turn_and_says_what_was_broken() {
    let plugin = naughty().await;
    for (mode, says) in IN_THE_TURN {
        let fault = fault_of(&plugin, mode).await;
        let PluginFault::Contract(text) = &fault else { panic!("{mode}: {fault:?}") };
        assert!(text.contains(says), "{mode}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_after_the_end_leaves_that_turn_its_answer_and_ends_the_instance() {
    let plugin = naughty().await;
    for mode in AFTER_THE_TURN {
        let (instance, session, open) = held(&plugin).await;
        let other = instance.session();
        let answered = read(ask(&other, mode).await).await;
        assert!(answered.finished().is_some(), "{mode}: {:?}", answered.error);
        let seen = read(open).await;
        let Some(TurnError::Fault(PluginFault::Contract(text))) = &seen.error else {
            panic!("{mode}: {:?}", seen.error)
        };
        assert!(text.contains("not open"), "{mode}: {text}");
        assert_answers(&session).await;
        assert_answers(&other).await;
    }
}
