//! A real MCP server that somebody else wrote, fetched by the ordinary client of its registry.

use crate::real_cli::{cache_dir, skipped_by};
use llm_provider_host::process::Spec;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};
use tokio::sync::OnceCell;

/// Turns the tests with the real MCP server into a printed skip. Without it, a server that cannot be had is a failure.
pub const SKIP: &str = "LLMP_TEST_SKIP_REAL_MCP";

/// The reference server of the protocol's authors, which has a tool of each kind and speaks both transports.
const PACKAGE: &str = "@modelcontextprotocol/server-everything";
const VERSION: &str = "2026.8.31";

/// True when the person asked for no tests with the real MCP server; says so.
#[must_use]
pub fn skipped(test: &str) -> bool {
    skipped_by(SKIP, test)
}

/// A program of this machine.
///
/// # Panics
/// When the search path has none of this name.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    program_or(name, SKIP)
}

/// A program of this machine, for tests that this variable skips.
pub(crate) fn program_or(name: &str, skip: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&path).filter(|directory| directory.is_absolute());
    let found = candidates.find_map(|directory| Some(directory.join(name)).filter(|candidate| candidate.is_file()));
    found
        .unwrap_or_else(|| panic!("there is no {name} in the search path; set {skip}=1 to skip the tests that need it"))
}

/// The server as a program that speaks `transport` (`stdio` or `streamableHttp`), in an empty environment.
///
/// # Panics
/// When it cannot be had, with the reason.
pub async fn everything(transport: &str) -> Spec {
    static LOCATED: OnceCell<PathBuf> = OnceCell::const_new();
    let script = LOCATED.get_or_init(|| async { tokio::task::spawn_blocking(fetch).await.expect("no panic") }).await;
    Spec::new(program("node"), script.parent().expect("a directory")).arg(script).arg(transport)
}

/// Fetches it once for a target directory. Several test processes may try at once: the first to rename wins.
fn fetch() -> PathBuf {
    let directory = cache_dir().join(format!("mcp-server-everything-{VERSION}"));
    let script = |directory: &Path| directory.join("node_modules").join(PACKAGE).join("dist/index.js");
    if !script(&directory).is_file() {
        fs::create_dir_all(cache_dir()).expect("a cache");
        let fresh = tempfile::Builder::new().prefix("mcp-").tempdir_in(cache_dir()).expect("a directory");
        install(fresh.path());
        match fs::rename(fresh.path(), &directory) {
            Ok(()) => drop(fresh.keep()),
            Err(error) => assert!(script(&directory).is_file(), "{}: {error}", directory.display()),
        }
    }
    script(&directory)
}

fn install(directory: &Path) {
    let arguments = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    let mut npm = Command::new(program("npm"));
    npm.args(arguments).arg(directory).arg(format!("{PACKAGE}@{VERSION}")).stdin(Stdio::null());
    let output = npm.output().expect("npm runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let hint = format!("set {SKIP}=1 to skip the tests that need it");
    assert!(output.status.success(), "no {PACKAGE}: npm ended with {}: {said}; {hint}", output.status);
}
