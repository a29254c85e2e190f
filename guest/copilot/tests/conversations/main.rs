//! Random conversations against a reference: whatever a caller does with its history and whatever happens to the CLI, every
//! request that reaches the model holds exactly the caller's conversation, once, in order; whether the CLI sends it or the
//! host.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod caller;
mod calls;
mod dice;
mod endpoint;
mod handed;
mod items;
#[path = "../rig/mod.rs"]
mod rig;
mod server;

use caller::{Ask, Caller, Op, Say};
use endpoint::Reply;
use handed::{FAILURES, Met};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rig::{BYOK, HOSTED};

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        12 => Just(Reply::Text),
        2 => Just(Reply::Length),
        5 => (1u8..4, any::<bool>()).prop_map(|(calls, unknown)| Reply::Calls { calls, unknown }),
        2 => (0usize..5).prop_map(|at| Reply::Status([400, 401, 429, 500, 503][at])),
        3 => (0..FAILURES.len(), any::<bool>()).prop_map(|(at, begun)| Reply::Fails { kind: FAILURES[at], begun }),
        1 => Just(Reply::Crash),
        1 => Just(Reply::Hang { cancel: true }),
        1 => Just(Reply::Hang { cancel: false }),
        1 => Just(Reply::LostIdle),
        1 => Just(Reply::Compaction),
    ]
}

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![6 => Just(Say::One), 2 => Just(Say::Several), 1 => Just(Say::LeaveOneResultOut), 1 => Just(Say::TextFirst)]
}

fn ask() -> impl Strategy<Value = Ask> {
    let ask =
        (0usize..3, 0usize..4, say(), 0u8..3, 0u8..9, any::<bool>(), prop::collection::vec(reply(), 4), any::<bool>());
    ask.prop_map(|(session, branch, say, system, tools, returned, replies, keep_question)| Ask {
        session,
        branch,
        say,
        system,
        tools,
        returned,
        replies,
        keep_question,
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => ask().prop_map(Op::Ask),
        4 => (ask(), ask()).prop_map(|(one, other)| Op::Both(one, other)),
        2 => (0usize..4).prop_map(Op::Fork),
        2 => (0usize..4, 0usize..8).prop_map(|(branch, at)| Op::Rollback(branch, at)),
        1 => (0usize..4, 0usize..8).prop_map(|(branch, at)| Op::Edit(branch, at)),
        2 => any::<bool>().prop_map(|flushed| Op::Crash { flushed }),
        1 => Just(Op::Rest),
        1 => Just(Op::OtherInstance),
        1 => Just(Op::ForgetSessions),
        1 => Just(Op::LoseHome),
        1 => (0usize..3).prop_map(Op::CloseSession),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// S20, S21, S23, B02, B03, B04, B05, B06, B11: append, edit, fork, rollback, tool turns of both owners, crashes,
    /// cancels, restarts.
    #[test]
    fn the_model_sees_exactly_the_callers_conversation(ops in prop::collection::vec(op(), 1..16), dice: u64) {
        converse(BYOK, &ops, dice);
    }

    /// The same where the host sends the CLI's requests, and its HTTP may fail: what counts is what the endpoint receives.
    #[test]
    fn the_endpoint_sees_exactly_the_callers_conversation(ops in prop::collection::vec(op(), 1..16), dice: u64) {
        converse(HOSTED, &ops, dice);
    }
}

fn converse(config: &'static str, ops: &[Op], dice: u64) -> Caller {
    let mut caller = Caller::new(config, dice);
    ops.iter().for_each(|op| caller.step(op));
    caller
}

/// What the cases above reach: without that, they hold of nothing.
#[test]
fn conversations_through_the_host_meet_everything() {
    let mut runner = TestRunner::deterministic();
    let (mut met, mut answered, mut asked) = (Met::default(), 0, 0);
    for dice in 0..200 {
        let ops = prop::collection::vec(op(), 8..16).new_tree(&mut runner).unwrap().current();
        let caller = converse(HOSTED, &ops, dice);
        met.add(&caller.server.met);
        (answered, asked) = (answered + caller.answered, asked + caller.server.endpoint.asked);
    }
    assert!(met.handed >= asked, "every request went over the host: {met:?}, {asked}");
    assert!(met.least() >= 20 && answered >= 500, "{met:?}, {answered} answered");
}

fn plain() -> Op {
    Op::Ask(Ask {
        session: 0,
        branch: 0,
        say: Say::One,
        system: 0,
        tools: 0,
        returned: false,
        replies: vec![Reply::Text],
        keep_question: false,
    })
}

/// The reference is worth nothing unless it sees a conversation that differs.
fn tampered(config: &'static str) {
    let mut caller = Caller::new(config, 0);
    caller.step(&plain());
    assert_eq!(caller.answered, 1);
    caller.server.tamper();
    caller.step(&plain());
}

#[test]
#[should_panic(expected = "the model does not see the caller's conversation")]
fn the_reference_notices_a_message_too_many() {
    tampered(BYOK);
}

#[test]
#[should_panic(expected = "the model does not see the caller's conversation")]
fn the_endpoint_notices_it_in_what_the_host_sends() {
    tampered(HOSTED);
}
