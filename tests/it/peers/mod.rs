//! Peers that others wrote: gateways in front of which the plugins stand, and official clients in front of our fake.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking; clippy knows only functions marked as tests"
)]

mod clients;
mod gateways;
mod model;
