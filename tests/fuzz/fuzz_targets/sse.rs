//! Any bytes as a stream of events.
#![no_main]
#![allow(missing_docs)]

#[path = "../../../guest/core/tests/played/sse.rs"]
mod sse;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sse::play(bytes));
