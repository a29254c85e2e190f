//! The files of the workspace, and what is wrong with them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A file, by its path below the root.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Something that is not as the rules want it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offence {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl Source {
    /// A sample for the test of a check.
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Something wrong in this file.
    pub(crate) fn offence(&self, line: usize, what: impl Into<String>) -> Offence {
        Offence { path: self.path.clone(), line, what: what.into() }
    }

    /// Lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// True for code that is not part of the product: tests, benchmarks, examples, build scripts.
    pub(crate) fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        parts.iter().any(|part| matches!(*part, "tests" | "tests.rs" | "benches" | "examples" | "build.rs"))
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file that belongs to the project.
pub(crate) fn all() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root(), &root(), &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(files.len() > 100, "this is not the workspace: {} files", files.len());
    files
}

/// Every Rust file of host, guest and tests.
pub(crate) fn rust() -> Vec<Source> {
    let ours = |path: &str| ["host/", "guest/", "tests/"].iter().any(|part| path.starts_with(part));
    all().into_iter().filter(|file| file.path.ends_with(".rs") && ours(&file.path)).collect()
}

/// Every manifest of a crate.
pub(crate) fn manifests() -> Vec<Source> {
    all().into_iter().filter(|file| file.path.ends_with("/Cargo.toml")).collect()
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
        if matches!(name.as_str(), "target" | ".git") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.push(Source { path: name, text });
        }
    }
}

/// Fails with all offenders.
pub(crate) fn none(offences: Vec<Offence>) {
    let list: Vec<String> = offences.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} offenders:\n{}", list.len(), list.join("\n"));
}

/// Runs a check on every file.
pub(crate) fn check(files: &[Source], check: impl Fn(&Source) -> Vec<Offence>) -> Vec<Offence> {
    files.iter().flat_map(check).collect()
}

#[test]
fn a_failure_names_file_and_line_of_every_offender() {
    let file = Source::sample("a/b.rs", "");
    let failed = std::panic::catch_unwind(|| none(vec![file.offence(3, "bad"), file.offence(9, "worse")]));
    let text = failed.expect_err("it failed").downcast::<String>().expect("a text");
    assert!(text.contains("2 offenders:\na/b.rs:3: bad\na/b.rs:9: worse"), "{text}");
}
