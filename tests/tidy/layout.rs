//! The root of the repository is its table of contents.

use crate::tree::root;
use std::collections::BTreeSet;

const ENTRIES: [&str; 16] = [
    ".ci",
    ".config",
    ".git",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "target",
];
const ROOMS: [&str; 4] = ["guest", "host", "tests", "wit"];

fn strays<'a>(entries: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    entries.into_iter().filter(|name| !ENTRIES.contains(name) && !ROOMS.contains(name)).collect()
}

#[test]
fn the_root_holds_nothing_else() {
    let entries = std::fs::read_dir(root()).expect("the root");
    let names: BTreeSet<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    for room in ROOMS {
        assert!(names.contains(room), "{room} is missing");
    }
    assert_eq!(strays(names.iter().map(String::as_str)), Vec::<&str>::new());
}

#[test]
fn a_stray_entry_is_found() {
    assert_eq!(strays(["host", "notes.txt", "wit", "utils"]), ["notes.txt", "utils"]);
}
