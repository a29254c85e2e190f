//! Integration tests. One binary: linking wasmtime takes longer than the tests.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

mod contract;
mod guests;
mod mcp;
mod measure;
mod peers;
mod real_cli;
mod sandbox;
