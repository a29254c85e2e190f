//! The fake CLI as an entry of the host's catalogue.

use llm_provider_host::process::Spec;
use llm_provider_host::{Launch, Preparing, SidecarProgram, Start, Wanted};
use std::path::PathBuf;

/// Starts a program that speaks the protocol, under the name plugins ask for.
pub struct FakeSidecar {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

impl SidecarProgram for FakeSidecar {
    fn name(&self) -> &str {
        "copilot-cli"
    }

    fn secret_variables(&self) -> &[&str] {
        &["COPILOT_SDK_AUTH_TOKEN"]
    }

    fn prepare<'a>(&'a self, wanted: Wanted<'a>) -> Preparing<'a> {
        let directory = wanted.tenant_directory;
        let spec = self.args.iter().fold(Spec::new(&self.program, directory), |spec, arg| spec.arg(arg));
        let working_directory = directory.to_owned();
        let start = Start::Spawn(Box::new(spec));
        Box::pin(async move { Ok(Launch { start, version: "1.0.102".into(), working_directory, report: None }) })
    }
}
