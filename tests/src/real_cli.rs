//! The real Copilot CLI, fetched by the product's own code.

use llm_provider_host::artefact::{COPILOT_CLI, Located, Platform, Request, npm, obtain};
use llm_provider_host::{Commands, CopilotCli};
use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Turns the tests with the real CLI into a printed skip. Without it, a CLI that cannot be had is a failure.
pub const SKIP: &str = "LLMP_TEST_SKIP_REAL_CLI";

/// Where tests keep what they download and compile: below the target directory, so that a clean clone starts clean.
#[must_use]
pub fn cache_dir() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("llmp-test-cache")
}

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// True when the person asked for no tests with the real CLI; says so.
#[must_use]
pub fn skipped(test: &str) -> bool {
    skipped_by(SKIP, test)
}

/// True when the person set this variable to have no such tests; says so.
pub(crate) fn skipped_by(variable: &str, test: &str) -> bool {
    let skip = env::var_os(variable).is_some_and(|value| !value.is_empty());
    if skip {
        println!("SKIPPED {test}: {variable} is set");
    }
    skip
}

/// How the product finds it, with the npm configuration of whoever runs the tests.
#[must_use]
pub fn request() -> Request {
    let platform = Platform::current().expect("a platform the CLI exists for");
    let mut request = Request::new(COPILOT_CLI, platform, cache_dir());
    let home = env::var_os("HOME").map(PathBuf::from).expect("HOME");
    let mut inputs = npm::Inputs::new(|name| env::var(name).ok(), home, workspace());
    inputs.runner = Some(Arc::new(Commands { search_path: env::var_os("PATH") }));
    request.npm = Some(inputs);
    request
}

/// Fetches it once for a test process.
///
/// # Panics
/// When it cannot be had, with the reason.
pub async fn located() -> Located {
    static LOCATED: OnceCell<Located> = OnceCell::const_new();
    let fetch = || async {
        let hint = format!("set {SKIP}=1 to skip the tests that need it");
        obtain(&request(), &|_| ()).await.unwrap_or_else(|error| panic!("no Copilot CLI: {error}; {hint}"))
    };
    LOCATED.get_or_init(fetch).await.clone()
}

/// The catalogue's entry, with what the CLI unpacks shared by all tests.
#[must_use]
pub fn sidecar() -> CopilotCli {
    let mut sidecar = CopilotCli::new(request());
    sidecar.unpack_dir = Some(cache_dir().join("copilot-cli-unpacked"));
    sidecar
}
