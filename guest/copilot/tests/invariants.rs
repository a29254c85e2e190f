//! Random operations in random order: the plugin keeps to the contract, never panics, and does the same again.

mod operations;
mod rig;

use operations::{KINDS, Op, config_of, from_bytes, run};
use proptest::prelude::*;
use rig::{BYOK, GITHUB, HOSTED};
use std::fs;
use std::path::Path;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (1u64..4).prop_map(Op::Open),
        1 => (1u64..4).prop_map(Op::Close),
        8 => (1u64..4, 0u8..4, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(session, history, tools, returned, system)| Op::Start { session, history, tools, returned, system }),
        2 => (0usize..4, any::<bool>()).prop_map(|(which, allow)| Op::Decide(which, allow)),
        1 => any::<bool>().prop_map(Op::Ask),
        2 => (0u64..8).prop_map(Op::Cancel),
        8 => Just(Op::Started),
        1 => Just(Op::Failed),
        2 => Just(Op::Exited),
        24 => (0usize..4, 0u8..8).prop_map(|(which, kind)| Op::Answer { which, kind }),
        40 => (0usize..4, 0..KINDS.len(), 0usize..40).prop_map(|(session, kind, data)| Op::Event { session, kind, data }),
        4 => (0u64..8).prop_map(Op::ToolResult),
        4 => prop_oneof![0u64..100, 1_000u64..200_000, Just(901_000)].prop_map(Op::Pass),
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Op::Junk),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(request, part)| Op::Handed { request, part }),
        6 => (0usize..3, any::<u8>()).prop_map(|(which, part)| Op::Http { which, part }),
        1 => Just(Op::Shutdown),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_contract_holds_whatever_happens(ops in prop::collection::vec(op(), 1..120), config in 0usize..3) {
        let config = [GITHUB, BYOK, HOSTED][config];
        let first = run(config, &ops);
        let second = run(config, &ops);
        prop_assert_eq!(first.effects, second.effects);
    }
}

/// What the fuzzer has found worth keeping (`tests/fuzz`), in every configuration.
#[test]
fn the_fuzzers_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/operations");
    let mut replayed = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus").flatten() {
        let bytes = fs::read(entry.path()).expect("a file");
        let (config, ops) = (config_of(&bytes), from_bytes(&bytes));
        assert_eq!(run(config, &ops).effects, run(config, &ops).effects, "{}", entry.path().display());
        replayed += 1;
    }
    assert!(replayed >= 50, "only {replayed} files in {}", corpus.display());
}
