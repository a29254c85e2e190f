//! The way of a program from a registry or a path into the cache, and what may go wrong on it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failing test panics and says where"
)]

mod archives;
mod npm_config;
mod obtain;
mod paths;
mod plain;
mod processes;
mod real_download;
mod redirects;
mod registry;
mod untrusted_project;
