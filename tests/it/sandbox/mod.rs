//! Plugins in the sandbox, without a sidecar.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its figures; clippy knows only functions marked as tests"
)]

mod bystander;
mod cache;
mod cancel;
mod compile;
mod contract;
mod determinism;
mod faults;
mod frames;
mod handover;
mod inspect;
mod killed;
mod lifetime;
mod limits;
mod pressure;
mod retry;
mod retry_ends;
mod route;
mod tape;
mod tenancy;
mod tools;
mod trickle;
mod wasip2;
