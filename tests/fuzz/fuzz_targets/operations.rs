//! Any list of operations on the Copilot plugin: it keeps to its contract, never panics, and does the same again.
#![no_main]
#![allow(missing_docs)]

#[path = "../../../guest/copilot/tests/operations/mod.rs"]
mod operations;
#[path = "../../../guest/copilot/tests/rig/mod.rs"]
mod rig;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let config = operations::config_of(bytes);
    let ops = operations::from_bytes(bytes);
    assert_eq!(operations::run(config, &ops).effects, operations::run(config, &ops).effects);
});
