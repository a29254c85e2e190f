//! Sidecars: the catalogue's entries, and a run of one.

mod copilot_cli;
mod program;
mod run;

pub use copilot_cli::{CopilotCli, Network, OnProgress};
pub use program::{Launch, Preparing, SidecarProgram, SidecarUnavailable};
pub(crate) use run::{Order, Run, RunContext};
