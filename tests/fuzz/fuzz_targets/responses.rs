//! Any bytes as a response in the dialect of Responses.
#![no_main]
#![allow(missing_docs)]

use llm_provider_openai::AnyApi;
use llmp_dialect_rig::fuzzed::{config::RESPONSES, play};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| play::<AnyApi>(RESPONSES, bytes));
