//! Plugins that take more than they may, or crash: the turn ends with a typed fault, and nobody else is hurt.

use super::bystander::{assert_answers, fault_in, fault_of, held};
use llm_provider_host::{HostError, PluginFault, TurnError};
use llmp_tests::plugins::{ask, instance, naughty, naughty_with, policy};
use llmp_tests::rig::read;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_the_turn_with_its_own_text_on_one_line() {
    let PluginFault::Trapped(text) = fault_of(&naughty().await, "panic").await else { panic!("not a trap") };
    assert!(text.contains("as asked; in two lines"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_is_stopped_after_its_budget() {
    let fault = fault_of(&naughty().await, "spin").await;
    let PluginFault::CallBudget { configured, observed } = fault else { panic!("{fault:?}") };
    println!(
        "figure: an endless loop was stopped after {observed:?}; the budget is {configured:?} and two ticks of 2 ms"
    );
    assert!(observed >= configured);
    assert!(observed < configured * 20, "{observed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_beyond_the_limit_is_refused() {
    let plugin = naughty_with(|limits| limits.memory_bytes = 32 << 20).await;
    let fault = fault_of(&plugin, "grow").await;
    let PluginFault::Limit { limit: "memory_bytes", configured, observed } = fault else { panic!("{fault:?}") };
    assert_eq!(configured, 32 << 20);
    assert!((configured..configured * 2).contains(&observed), "{observed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_recursion_ends_at_the_stack_limit() {
    let fault = fault_of(&naughty().await, "recurse").await;
    assert!(matches!(&fault, PluginFault::Trapped(text) if text.contains("stack")), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_effects_than_a_call_may_have_are_refused() {
    let plugin = naughty_with(|limits| limits.call_effects = 1_000).await;
    let fault = fault_of(&plugin, "events 2000").await;
    assert_eq!(fault, PluginFault::Limit { limit: "call_effects", configured: 1_000, observed: 1_001 });
    let fault = fault_of(&plugin, "logs 2000").await;
    assert!(matches!(fault, PluginFault::Limit { limit: "call_effects", .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_timers_are_refused() {
    let fault = fault_of(&naughty().await, "timers 1000000").await;
    // Which limit comes first (time, memory or effects) depends on the machine.
    assert!(matches!(fault, PluginFault::Limit { .. } | PluginFault::CallBudget { .. }), "{fault:?}");
    let fault = fault_of(&naughty().await, "timers 1200").await;
    let PluginFault::Limit { limit: "timers", configured, observed } = fault else { panic!("{fault:?}") };
    assert_eq!(configured, 1_024);
    assert!(observed > configured, "what was seen passes the limit: {observed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_one_timer_is_not_having_many() {
    let plugin = naughty_with(|limits| limits.timers = 4).await;
    let session = instance(&plugin).session();
    let seen = read(ask(&session, "moves 1000").await).await;
    assert!(seen.error.is_none(), "{:?}", seen.error);
    // With the one that was moved, these are as many as may be.
    let seen = read(ask(&session, "timers 3").await).await;
    assert!(seen.error.is_none(), "the host's own timers count against the plugin's: {:?}", seen.error);
    let seen = read(ask(&session, "moves 2").await).await;
    assert!(seen.error.is_none(), "one that runs cannot be moved when there are as many as may be: {:?}", seen.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_string_larger_than_a_call_may_carry_is_a_passed_limit() {
    let plugin = naughty_with(|limits| limits.call_data_bytes = 1 << 20).await;
    let fault = fault_of(&plugin, "huge 2000000").await;
    let PluginFault::Limit { limit: "call_data_bytes", configured, .. } = fault else { panic!("{fault:?}") };
    assert_eq!(configured, 1 << 20);
}

/// Each alone is less than a call may carry: once as a delta, and once as a block.
#[tokio::test(flavor = "multi_thread")]
async fn strings_that_are_too_much_together_are_a_passed_limit() {
    let plugin = naughty_with(|limits| limits.call_data_bytes = 1 << 20).await;
    let fault = fault_of(&plugin, "huge 600000").await;
    let PluginFault::Limit { limit: "call_data_bytes", configured, observed } = fault else { panic!("{fault:?}") };
    assert_eq!(configured, 1 << 20);
    assert!((1_200_000..1_210_000).contains(&observed), "{observed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_string_of_ordinary_size_passes() {
    let session = instance(&naughty().await).session();
    let seen = read(ask(&session, "huge 2000000").await).await;
    assert_eq!((seen.text.len(), seen.error.is_none()), (2_000_000, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_ends_all_turns_of_its_instance_once_each() {
    let plugin = naughty().await;
    let (instance, session, turn) = held(&plugin).await;
    let other = instance.session();
    assert!(matches!(fault_in(&other, "panic").await, PluginFault::Trapped(_)));
    let seen = read(turn).await;
    assert!(matches!(seen.error, Some(TurnError::Fault(PluginFault::Trapped(_)))), "{:?}", seen.error);
    assert_answers(&session).await;
    assert_answers(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_turn_that_does_not_end_is_a_broken_contract() {
    let plugin = naughty_with(|limits| limits.cancel_grace = Duration::from_millis(100)).await;
    let instance = instance(&plugin);
    let session = instance.session();
    let mut turn = ask(&session, "deaf").await;
    assert!(turn.next().await.expect("an event").is_ok());
    turn.canceller().cancel();
    let seen = read(turn).await;
    let Some(TurnError::Fault(PluginFault::Contract(text))) = seen.error else { panic!("{:?}", seen.error) };
    assert!(text.contains("100ms"), "{text}");
    assert_answers(&session).await;
}

/// S27: the deadline of the whole turn is the caller's; only without one the limit counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_passes_its_deadline_is_ended() {
    let session = instance(&naughty().await).session();
    let mut request = llm_provider_host::TurnRequest::new(vec![llm_provider_host::user_message("hold")]);
    request.deadline = Some(Duration::from_millis(50));
    let seen = read(session.turn(request).await.expect("a turn")).await;
    assert!(matches!(seen.error, Some(TurnError::Host(HostError::TurnDeadline(_)))), "{:?}", seen.error);
    let plugin = naughty_with(|limits| limits.turn_deadline = Duration::from_millis(60)).await;
    let seen = read(ask(&instance(&plugin).session(), "hold").await).await;
    let Some(TurnError::Host(HostError::TurnDeadline(after))) = seen.error else { panic!("{:?}", seen.error) };
    assert_eq!(after, Duration::from_millis(60), "without one of the caller's, the limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_asks_again_after_each_refusal_still_hears_a_cancel() {
    let session = instance(&naughty().await).session();
    let mut turn = ask(&session, "restart").await;
    assert!(turn.next().await.expect("an event").is_ok());
    turn.canceller().cancel();
    let seen = tokio::time::timeout(super::bystander::PATIENCE, read(turn)).await.expect("the cancel is heard");
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn configuring_is_bounded_too() {
    let plugin = naughty().await;
    let start = async |config: &str| {
        let made = plugin.host().tenant(policy()).instance(&plugin, config).expect("granted");
        made.start().await.expect_err("stopped")
    };
    assert!(matches!(start("panic").await, TurnError::Fault(PluginFault::Trapped(_))));
    assert!(matches!(start("spin").await, TurnError::Fault(PluginFault::CallBudget { .. })));
    let refused = start("refuse").await;
    assert_eq!(refused.provider().map(|error| error.message.as_str()), Some("this configuration cannot work"));
}
