//! The harness of the integration tests: a real or a fake Copilot CLI, a scriptable model server, and the host between.

pub mod rig;
pub mod real_cli;
