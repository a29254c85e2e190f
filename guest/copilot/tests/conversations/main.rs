//! Random conversations against a reference: whatever a caller does with its history and whatever happens to the CLI, every
//! request that reaches the model holds exactly the caller's conversation, once, in order.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod caller;
mod items;
#[path = "../rig/mod.rs"]
mod rig;
mod server;

use caller::{Caller, Op, Reply, Say};
use proptest::prelude::*;

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        12 => Just(Reply::Text),
        2 => Just(Reply::Length),
        5 => (1u8..4, any::<bool>()).prop_map(|(calls, unknown)| Reply::Calls { calls, unknown }),
        1 => Just(Reply::Error),
        1 => Just(Reply::Crash),
        1 => Just(Reply::Hang { cancel: true }),
        1 => Just(Reply::Hang { cancel: false }),
        1 => Just(Reply::LostIdle),
        1 => Just(Reply::Compaction),
        1 => Just(Reply::Retried),
    ]
}

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![6 => Just(Say::One), 2 => Just(Say::Several), 1 => Just(Say::LeaveOneResultOut), 1 => Just(Say::TextFirst)]
}

fn op() -> impl Strategy<Value = Op> {
    let ask =
        (0usize..3, 0usize..4, say(), 0u8..3, 0u8..3, any::<bool>(), prop::collection::vec(reply(), 4), any::<bool>());
    prop_oneof![
        14 => ask.prop_map(|(session, branch, say, system, tools, returned, replies, keep)| {
            Op::Ask { session, branch, say, system, tools, returned, replies, keep_question: keep }
        }),
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

    /// S20, S21, S22, S23, B02, B03, B04, B05, B06, B11: append, edit, fork, rollback, tool turns of both owners, crashes, cancels, restarts.
    #[test]
    fn the_model_sees_exactly_the_callers_conversation(ops in prop::collection::vec(op(), 1..16)) {
        let mut caller = Caller::new();
        for op in &ops {
            caller.step(op);
        }
    }
}

/// The reference is worth nothing unless it sees a conversation that differs.
#[test]
#[should_panic(expected = "the model does not see the caller's conversation")]
fn the_reference_notices_a_message_too_many() {
    let ask = || Op::Ask {
        session: 0,
        branch: 0,
        say: Say::One,
        system: 0,
        tools: 0,
        returned: false,
        replies: vec![Reply::Text],
        keep_question: false,
    };
    let mut caller = Caller::new();
    caller.step(&ask());
    caller.server.tamper();
    caller.step(&ask());
}
