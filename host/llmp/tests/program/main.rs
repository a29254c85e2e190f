//! `llmp` as a person runs it: what goes in, what comes out, with which exit code.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

mod asking;
mod bad_input;
mod failing;
mod history;
mod run;
mod servers;
mod signals;
mod terminal;
