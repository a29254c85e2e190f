//! What the fuzzer of responses has found worth keeping (`tests/fuzz`).
#![allow(missing_docs)]

use llm_provider_openai::AnyApi;
use llmp_dialect_rig::fuzzed::{config, replay};

#[test]
fn the_corpus_of_chat_holds() {
    assert!(replay::<AnyApi>(config::CHAT, "chat") >= 13);
}

#[test]
fn the_corpus_of_responses_holds() {
    assert!(replay::<AnyApi>(config::RESPONSES, "responses") >= 13);
}
