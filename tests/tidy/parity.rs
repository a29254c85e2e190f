//! What an engine needs of us, and the faults of others that must not be ours, have each a test that says so.
//!
//! The ids are those of the list this project began with: S for a feature as a testable statement, R for a bug that a
//! review of such a provider fixed, B for a fault that was still in it. Those of the list of threats: P for a fault of a sidecar,
//! N for the network and what is downloaded, H for the host's own. (Of G, a hostile plugin, a row without its test does not
//! compile: tests/it/guests/mod.rs.)

use crate::tree::{Offence, Source, none, rust};
use std::collections::BTreeSet;

/// Each kind with how many there are, and how many digits its numbers have.
const IDS: [(char, u32, usize); 6] =
    [('S', 37, 2), ('R', 9, 1), ('B', 27, 2), ('P', 15, 2), ('N', 10, 2), ('H', 12, 2)];

fn all() -> BTreeSet<String> {
    let ids = |(kind, count, digits): &(char, u32, usize)| {
        (1..=*count).map(|number| format!("{kind}{number:0digits$}")).collect::<Vec<_>>()
    };
    IDS.iter().flat_map(ids).collect()
}

/// Ids in a line that tells of a test: its name, or its doc comment.
fn told(line: &str) -> Vec<String> {
    let line = line.trim_start();
    if let Some(comment) = line.strip_prefix("///") {
        let words = comment.split(|c: char| !c.is_ascii_alphanumeric());
        return words.map(str::to_owned).collect();
    }
    let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')).map_or("", |(name, _)| name);
    name.split('_').map(str::to_uppercase).collect()
}

/// A doc comment counts when it belongs to a test; so does a test's name.
fn of_tests(file: &Source) -> BTreeSet<String> {
    let (mut found, mut pending) = (BTreeSet::new(), Vec::new());
    let mut attributed = false;
    for line in file.text.lines().map(str::trim_start) {
        if line.starts_with("///") {
            pending.extend(told(line));
        } else if line.starts_with("#[") {
            attributed |= line.contains("test");
        } else {
            if attributed && line.contains("fn ") {
                found.extend(pending.drain(..));
                found.extend(told(line));
            }
            if !line.is_empty() {
                pending.clear();
                attributed = false;
            }
        }
    }
    found
}

fn untested(files: &[Source]) -> Vec<Offence> {
    let found: BTreeSet<String> = files.iter().flat_map(of_tests).collect();
    let missing = all().into_iter().filter(|id| !found.contains(id));
    missing.map(|id| Offence { path: "tests".into(), line: 0, what: format!("no test names {id}") }).collect()
}

#[test]
fn every_id_is_in_the_name_or_the_comment_of_a_test() {
    none(untested(&rust()));
}

#[test]
fn an_id_counts_only_where_a_test_stands() {
    let of = |text: &str| of_tests(&Source::sample("tests/x.rs", text));
    assert!(of("/// S01: x\n#[test]\nfn a() {}\n").contains("S01"));
    assert!(of("#[tokio::test]\nasync fn b08_a() {}\n").contains("B08"));
    assert!(!of("/// S01: x\nfn a() {}\n").contains("S01"));
    assert!(!of("// S01\n#[test]\nfn a() {}\n").contains("S01"));
}
