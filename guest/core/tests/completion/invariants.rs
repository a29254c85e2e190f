//! Any chunking of an answer gives the same events; any order of operations keeps to the contract, never panics, and does
//! the same again.

use crate::operations::{Op, STATUSES, from_bytes, run, sayings};
use crate::rig::{Rig, header, tools};
use llm_provider_core::completion::Effect;
use llm_provider_guest::types::ToolOwner;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn op() -> impl Strategy<Value = Op> {
    let request = || 0usize..3;
    prop_oneof![
        1 => (1u64..4).prop_map(Op::Open),
        1 => (1u64..4).prop_map(Op::Close),
        8 => (1u64..4, any::<u8>(), any::<u8>())
            .prop_map(|(session, history, options)| Op::Start { session, history, options }),
        2 => (0u64..8).prop_map(Op::Cancel),
        2 => any::<bool>().prop_map(Op::Ask),
        10 => (request(), 0..STATUSES.len(), any::<u8>())
            .prop_map(|(request, status, kind)| Op::Head { request, status: STATUSES[status], kind }),
        30 => (request(), any::<usize>()).prop_map(|(request, which)| Op::Said { request, which }),
        1 => (request(), prop::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(request, bytes)| Op::Bytes { request, bytes }),
        6 => request().prop_map(Op::End),
        8 => (request(), any::<bool>()).prop_map(|(request, calls)| Op::Answer { request, calls }),
        2 => (request(), any::<u8>(), any::<bool>())
            .prop_map(|(request, kind, sent)| Op::Broken { request, kind, sent }),
        10 => (0usize..4, prop::bool::weighted(0.05))
            .prop_map(|(call, other_turn)| Op::ToolResult { call, other_turn }),
        3 => prop_oneof![0u64..100, 1_000u64..200_000].prop_map(Op::Pass),
        1 => prop::bool::weighted(0.1).prop_map(|ends| if ends { Op::Shutdown } else { Op::Pass(1) }),
    ]
}

/// The effects of a response, its body in these parts.
fn effects(status: u16, kind: &str, body: &[u8], cuts: &[usize]) -> Vec<Effect> {
    let mut rig = Rig::default();
    rig.ask_with(tools(ToolOwner::Callback));
    let id = rig.newest();
    rig.head(id, status, vec![header("content-type", kind)]);
    let mut rest = body;
    for cut in cuts {
        let (part, after) = rest.split_at(cut % (rest.len() + 1));
        rig.chunk(id, part);
        rest = after;
    }
    rig.chunk(id, rest);
    if rig.monitor.requests.contains(&id) {
        rig.end(id);
    }
    // The alarm follows the pieces as they come: an earlier look at the clock is no other answer.
    rig.effects.into_iter().filter(|effect| !matches!(effect, Effect::Timer(_))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_effects(
        said in prop::collection::vec(any::<usize>(), 0..24),
        junk in prop::collection::vec(any::<u8>(), 0..8),
        kind in prop_oneof![4 => Just("text/event-stream"), 1 => Just("application/json")],
        status in prop_oneof![4 => Just(200), 1 => Just(500)],
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let sayings = sayings();
        let mut body: Vec<u8> = said.iter().flat_map(|which| sayings[which % sayings.len()].clone()).collect();
        body.extend(junk);
        prop_assert_eq!(effects(status, kind, &body, &[]), effects(status, kind, &body, &cuts));
        let bytes = vec![1; body.len()];
        prop_assert_eq!(effects(status, kind, &body, &[]), effects(status, kind, &body, &bytes));
    }

    #[test]
    fn the_contract_holds_whatever_happens(ops in prop::collection::vec(op(), 1..150)) {
        prop_assert_eq!(run(&ops).effects, run(&ops).effects);
    }

    #[test]
    fn the_contract_holds_for_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(run(&from_bytes(&bytes)).effects, run(&from_bytes(&bytes)).effects);
    }
}

/// The operations reach what they are there for: without that, the properties above hold of nothing.
#[test]
fn operations_reach_every_end() {
    use llm_provider_guest::effects::{EventEffect, HttpEffect};
    use llm_provider_guest::events::Event;
    let mut state = 1u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let (mut finished, mut failed, mut answered, mut given_up, mut second) = (0, 0, 0, 0, 0);
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..800).map(|_| byte()).collect();
        for effect in run(&from_bytes(&bytes)).effects {
            match effect {
                Effect::Event(EventEffect(_, Event::Finished(end))) => {
                    finished += 1;
                    second += u32::from(end.usage.model_calls > 1);
                }
                Effect::Event(EventEffect(_, Event::Failed(_))) => failed += 1,
                Effect::Event(EventEffect(_, Event::ToolAnswered(_))) => answered += 1,
                Effect::Http(HttpEffect::Cancel(_)) => given_up += 1,
                _ => {}
            }
        }
    }
    let reached = [finished, failed, answered, given_up, second];
    assert!(reached.iter().all(|count| *count >= 20), "{reached:?}");
}

/// What the fuzzer has found worth keeping (`tests/fuzz`).
#[test]
fn the_fuzzers_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/completion");
    let mut replayed = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus").flatten() {
        let ops = from_bytes(&fs::read(entry.path()).expect("a file"));
        assert_eq!(run(&ops).effects, run(&ops).effects, "{}", entry.path().display());
        replayed += 1;
    }
    assert!(replayed >= 16, "only {replayed} files in {}", corpus.display());
}
