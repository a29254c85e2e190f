//! Any list of operations on the engine of HTTP providers: it keeps to its contract, never panics, and does the same again.
#![no_main]
#![allow(missing_docs)]

#[path = "../../../guest/core/tests/completion/operations.rs"]
mod operations;
#[path = "../../../guest/core/tests/completion/rig/mod.rs"]
mod rig;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let ops = operations::from_bytes(bytes);
    assert_eq!(operations::run(&ops).effects, operations::run(&ops).effects);
});
