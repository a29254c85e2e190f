//! What the fuzzer of responses has found worth keeping (`tests/fuzz`).
#![allow(missing_docs)]

use llm_provider_anthropic::Messages;
use llmp_dialect_rig::fuzzed::{config, replay};

#[test]
fn the_corpus_of_anthropic_holds() {
    assert!(replay::<Messages>(config::ANTHROPIC, "anthropic") >= 18);
}
