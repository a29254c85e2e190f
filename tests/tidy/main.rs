//! Holds the sources to the project's rules. What is enforced:
//!
//! - Sizes: of all Rust files the median has at most 180 lines, the 90th percentile 400, the largest 600; of all functions
//!   the 90th percentile has at most 25 lines, the longest 70.
//! - Plugins are pure: no clock, environment, network, files, processes, threads, randomness or async in `guest/core` and
//!   `guest/copilot`, and no hash maps, whose order differs from run to run.
//! - The host is neutral: no word of a provider's protocol in `host/src`.
//! - One place each: `bindgen!`/`generate!` once a crate; processes are started in `host/process`; an HTTP client is
//!   built once in `host/http` and once in `host/artefact`; tasks begin where the list says; no unbounded channel at all.
//! - No `unsafe` outside of `host/process`, and every other crate forbids it.
//! - No `unwrap`, `expect`, `panic!` and their like, and no indexing, in product code; every crate has the workspace's
//!   lints.
//! - No ignored test, no mark of unfinished work, no host name of a package registry.
//! - Every id of the list of parity (S, R, B) and of the list of threats (P, N, H) is named by a test.
//! - The library reads no environment: only the program does.
//! - The host tells time by the monotonic clock alone.
//! - The root holds what it should and nothing else; every item of the world is documented and has its version; every
//!   dependency has its reason beside it, and running and testing share one set of features; a plugin's description has its crate's version.
//!
//! Every check lists all offenders with file and line, and has a test of its own with a sample that offends.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its figures; clippy knows only functions marked as tests"
)]

mod dependencies;
mod dialect;
mod environment;
mod facts;
mod features;
mod layout;
mod manifests;
mod marks;
mod panics;
mod parity;
mod places;
mod purity;
mod sizes;
mod tree;
mod wall_clock;
mod wit;
