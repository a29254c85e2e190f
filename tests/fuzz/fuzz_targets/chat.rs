//! Any bytes as a response in the dialect of chat completions.
#![no_main]
#![allow(missing_docs)]

use llm_provider_openai::AnyApi;
use llmp_dialect_rig::fuzzed::{config::CHAT, play};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| play::<AnyApi>(CHAT, bytes));
