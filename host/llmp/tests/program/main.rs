//! `llmp` as a person runs it: what goes in, what comes out, with which exit code.

mod asking;
mod bad_input;
mod run;
