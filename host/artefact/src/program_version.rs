//! The version of a program that somebody named by its path.
//!
//! `copilot --version` of a fresh CLI unpacks 235 MiB into its cache and takes 2 to 3 s (0.12 s when that is done), so a
//! `package.json` beside the program is read instead when there is one. Measured with 1.0.102; it prints
//! `GitHub Copilot CLI 1.0.102.` and a line about updates.

use std::fs::{self, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use serde::Deserialize;

use crate::{Request, ShortCommand};

/// Ten times the slowest first start seen.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest `package.json`: 1 MiB; the real one has 681 bytes.
const MAX_PACKAGE_JSON: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
pub(crate) struct PackageJson {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
}

impl PackageJson {
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let mut text = String::new();
        fs::File::open(path).ok()?.take(MAX_PACKAGE_JSON).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// The version of the program at a path: from the product's own `package.json` beside it, else by asking it.
pub(crate) async fn version_of(path: &Path, request: &Request) -> Option<Version> {
    if let Some(version) = beside(path, request) {
        return Some(version);
    }
    let runner = request.runner.as_ref()?;
    let command = ShortCommand {
        program: path.to_owned(),
        args: vec!["--version".to_owned()],
        env: Vec::new(),
        timeout: PROBE_TIMEOUT,
        max_output: 4096,
    };
    match runner.run(command).await {
        Ok(output) => from_banner(&output),
        Err(problem) => {
            tracing::warn!(path = %path.display(), problem, "the program does not tell its version");
            None
        }
    }
}

/// Programs are often links into a package.
fn beside(path: &Path, request: &Request) -> Option<Version> {
    let real = fs::canonicalize(path).ok()?;
    let package = PackageJson::read(&real.parent()?.join("package.json"))?;
    let ours = format!("{}/{}", request.product.scope, request.product.package_prefix.trim_end_matches('-'));
    package.name?.starts_with(&ours).then_some(())?;
    Version::parse(&package.version?).ok()
}

/// The licence text beside the program.
pub(crate) fn license_beside(path: &Path) -> Option<PathBuf> {
    let license = fs::canonicalize(path).ok()?.with_file_name("LICENSE.md");
    license.is_file().then_some(license)
}

/// The first word that is a version.
fn from_banner(output: &str) -> Option<Version> {
    let words = output.split_whitespace().map(|word| word.trim_start_matches('v').trim_end_matches(['.', ',']));
    words.filter_map(|word| Version::parse(word).ok()).next()
}

/// Whether a file may be started. On Windows that is a matter of its name.
pub(crate) fn is_executable(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    return metadata.is_file();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners() {
        let real = "GitHub Copilot CLI 1.0.102.\nRun 'copilot update' to check for updates.\n";
        assert_eq!(from_banner(real), Some(Version::new(1, 0, 102)));
        assert_eq!(from_banner("v1.0.81-6\n").unwrap().to_string(), "1.0.81-6");
        assert_eq!(from_banner("usage: 1.0"), None);
    }
}
