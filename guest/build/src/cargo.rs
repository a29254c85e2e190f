//! The nested cargo.

use crate::Guest;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, ffi::OsString};

/// What a guest is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Bare wasm: the component imports only what the plugin calls.
    Unknown,
    /// WASI 0.2 with the standard library: the component imports `wasi:*` too.
    Wasip2,
}

impl Target {
    fn triple(self) -> &'static str {
        match self {
            Self::Unknown => "wasm32-unknown-unknown",
            Self::Wasip2 => "wasm32-wasip2",
        }
    }
}

/// Variables of the outer build that would change or break the inner one (clippy's wrapper, coverage flags).
const OUTER_ONLY: [&str; 6] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
];

/// How plugins are compiled, in the form of `CARGO_ENCODED_RUSTFLAGS`.
///
/// `simd128`: what looks for a byte takes sixteen at a time (8 % of a call). Every wasm of the last years has it, and its
/// results are the same everywhere, unlike those of `relaxed-simd`.
///
/// The threshold (LLVM's own is 225) keeps plugins small: loading one is decompressing and mapping its code. With 100 the
/// Copilot plugin is loaded in 4.5 ms, with 225 in 6.4 ms, with 500 in 7.8 ms. A call of a function costs more here than
/// natively (it looks at the epoch and at the stack's end), so those that every piece of text goes through say `inline`,
/// which LLVM counts otherwise; with that a piece costs as much as with 500.
const PLUGIN_FLAGS: &str = "-Ctarget-feature=+simd128\x1f-Cllvm-args=-inline-threshold=100";

/// Builds the package and says where the binary is.
pub(crate) fn build(workspace: &Path, guest: &Guest<'_>) -> Result<PathBuf, String> {
    let Guest { package, example, target, .. } = *guest;
    require_target(target.triple())?;
    let target_dir = target_dir()?;
    let mut command = Command::new(tool("CARGO", "cargo"));
    command.current_dir(workspace).args(["build", "--quiet", "--profile", "plugin", "--package", package]);
    if example.is_some() {
        // All of them: the first call builds the others too, as many at once as there are cores.
        command.arg("--examples");
    }
    command.args(["--target", target.triple()]).arg("--target-dir").arg(&target_dir);
    for name in OUTER_ONLY {
        command.env_remove(name);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", PLUGIN_FLAGS);
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cannot build {package}:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    let built = target_dir.join(target.triple()).join("plugin");
    Ok(match example {
        Some(example) => built.join("examples").join(format!("{example}.wasm")),
        None => built.join(format!("{}.wasm", package.replace('-', "_"))),
    })
}

/// Cargo's own message for a missing target is a page long; this is a sentence.
fn require_target(triple: &str) -> Result<(), String> {
    let output = Command::new(tool("RUSTC", "rustc"))
        .args(["--print", "target-libdir", "--target", triple])
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    let directory = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && directory.is_dir() {
        return Ok(());
    }
    Err(format!(
        "the Rust target {triple} is not installed, and plugins are built for it\n\
         hint: run `rustup target add wasm32-unknown-unknown wasm32-wasip2`"
    ))
}

fn tool(variable: &str, default: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| default.into())
}

/// `<target>/<profile>/plugins`, shared by all build scripts so that the plugins' dependencies are compiled once.
/// `OUT_DIR` is `<target>/<profile>/build/<package>-<hash>/out`.
fn target_dir() -> Result<PathBuf, String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run me from a build script")?);
    let profile = out.ancestors().nth(3).ok_or_else(|| format!("OUT_DIR is too short: {}", out.display()))?;
    Ok(profile.join("plugins"))
}
