//! Builds a guest crate into a component with its description, for the build scripts of crates that embed plugins.
//!
//! The nested cargo has a target directory of its own beside the outer build's artefacts: the outer cargo holds the lock
//! of the other one while a build script runs.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod cargo;
mod section;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

pub use cargo::Target;
pub use section::append_description;

/// A crate to build.
pub struct Guest<'a> {
    /// The package's name in this workspace.
    pub package: &'a str,
    /// The one of its examples that is the plugin; otherwise the package itself is.
    pub example: Option<&'a str>,
    /// What it is compiled for.
    pub target: Target,
    /// The description to embed: a JSON file.
    pub description: &'a Path,
}

/// Builds `guest` from a build script and writes the component to `$OUT_DIR/<file_name>`; ends the script with one
/// sentence and a hint when it cannot. `workspace` is the workspace's root directory.
pub fn build_from_script(workspace: &Path, guest: &Guest<'_>, file_name: &str) {
    let written = build(workspace, guest).and_then(|component| {
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run me from a build script")?);
        fs::write(out.join(file_name), component).map_err(|error| format!("cannot write {file_name}: {error}"))
    });
    if let Err(message) = written {
        for line in message.lines() {
            emit("cargo::error=", line);
        }
        process::exit(1);
    }
}

/// The directory of the package whose build script this is, as cargo says now: what was compiled into the script is wrong
/// once its target directory has been moved or copied to another checkout, and it would build the plugins of that one.
#[must_use]
pub fn manifest_dir() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default()
}

/// Tells cargo to run the build script again when one of these paths (relative to `workspace`) changes.
pub fn rerun_if_changed(workspace: &Path, paths: &[&str]) {
    for path in paths {
        emit("cargo::rerun-if-changed=", workspace.join(path).display());
    }
}

#[expect(clippy::print_stdout, reason = "a build script speaks to cargo on stdout")]
fn emit(key: &str, value: impl Display) {
    println!("{key}{value}");
}

fn build(workspace: &Path, guest: &Guest<'_>) -> Result<Vec<u8>, String> {
    let description = fs::read(guest.description)
        .map_err(|error| format!("cannot read the description {}: {error}", guest.description.display()))?;
    let binary = cargo::build(workspace, guest)?;
    let bytes = fs::read(&binary).map_err(|error| format!("cannot read {}: {error}", binary.display()))?;
    let component = match guest.target {
        Target::Unknown => componentize(&bytes)?,
        Target::Wasip2 => bytes,
    };
    append_description(component, &description)
}

/// Wraps a core module into a component that imports exactly what the module uses.
fn componentize(module: &[u8]) -> Result<Vec<u8>, String> {
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| format!("cannot make a component of the module: {error:#}"))
}
