//! Integration tests. One binary: linking wasmtime takes longer than the tests.

mod program;
mod real_cli;
mod sandbox;
