//! Sidecars: the catalogue's entries, and a run of one.

mod copilot_cli;
mod peer;
mod program;
mod run;

pub use copilot_cli::{CopilotCli, Network, OnProgress};
pub use program::{Launch, Preparing, SidecarProgram, SidecarUnavailable, Start, Wanted};
pub(crate) use run::{Order, Run, RunContext};
