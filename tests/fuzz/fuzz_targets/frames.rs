//! Any bytes as the output of a peer.
#![no_main]
#![allow(missing_docs)]

#[path = "../../../guest/core/tests/played/frames.rs"]
mod frames;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frames::play(bytes));
