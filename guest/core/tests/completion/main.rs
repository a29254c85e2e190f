//! The engine of providers that are asked over HTTP, in a dialect made for these tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod admission;
mod answers;
mod endings;
mod failures;
mod invariants;
mod models;
mod operations;
mod rig;
mod tools;
