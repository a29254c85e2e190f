//! The fake CLI as an entry of the host's catalogue.

use llm_provider_host::process::Spec;
use llm_provider_host::{Launch, Preparing, SidecarProgram};
use std::path::{Path, PathBuf};

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

    fn prepare<'a>(&'a self, tenant_directory: &'a Path, _secret_variables: &'a [String]) -> Preparing<'a> {
        let spec = self.args.iter().fold(Spec::new(&self.program, tenant_directory), |spec, arg| spec.arg(arg));
        let working_directory = tenant_directory.to_owned();
        Box::pin(async move { Ok(Launch { spec, version: "1.0.102".into(), working_directory }) })
    }
}
