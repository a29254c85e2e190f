//! Any bytes as a response in the dialect of Messages.
#![no_main]
#![allow(missing_docs)]

use llm_provider_anthropic::Messages;
use llmp_dialect_rig::fuzzed::{config::ANTHROPIC, play};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| play::<Messages>(ANTHROPIC, bytes));
