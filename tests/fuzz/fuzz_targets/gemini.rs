//! Any bytes as a response in the dialect of generateContent.
#![no_main]
#![allow(missing_docs)]

use llm_provider_gemini::Gemini;
use llmp_dialect_rig::fuzzed::{config::GEMINI, play};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| play::<Gemini>(GEMINI, bytes));
