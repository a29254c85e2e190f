//! The harness of the integration tests: a real or a fake Copilot CLI, a scriptable model server, and the host between.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

pub mod cli_server;
pub mod fake_cli;
pub mod fake_sidecar;
pub mod github;
pub mod peers;
pub mod plugins;
pub mod real_cli;
pub mod real_mcp;
pub mod rig;
pub mod watch;
