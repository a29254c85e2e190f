//! Sidecars: the catalogue's entries, and a run of one.

mod cli_environment;
mod containment;
mod copilot_cli;
mod copilot_oneshot;
mod isolation;
mod oneshot_settings;
mod options;
mod output;
mod peer;
mod program;
mod report;
mod run;
mod unpacked;

pub use cli_environment::Network;
pub use copilot_cli::{Attach, CopilotCli, OnProgress};
pub use copilot_oneshot::CopilotOneShot;
pub use isolation::Isolation;
pub use options::SidecarOptions;
pub use program::{Launch, Preparing, SidecarProgram, SidecarUnavailable, Start, Wanted};
pub(crate) use run::{Order, Run, RunContext};
