//! What the fuzzer of responses has found worth keeping (`tests/fuzz`).
#![allow(missing_docs)]

use llm_provider_gemini::Gemini;
use llmp_dialect_rig::fuzzed::{config, replay};

#[test]
fn the_corpus_of_gemini_holds() {
    assert!(replay::<Gemini>(config::GEMINI, "gemini") >= 18);
}
