//! Integration tests. One binary: linking wasmtime takes longer than the tests.

mod real_cli;
