//! The host's clocks do not jump.

use crate::facts::{self, Fact, Kind};
use crate::tree::{Offence, Source, check, none, rust};

/// What reads the wall clock, which a person or a time server may set.
const WALL_CLOCKS: [&str; 3] = ["SystemTime", "Utc", "Local"];

fn reads_the_wall_clock(file: &Source) -> Vec<Offence> {
    let bad = |fact: &Fact| {
        !fact.test && fact.kind == Kind::Path && fact.text.split("::").any(|segment| WALL_CLOCKS.contains(&segment))
    };
    facts::of(file).into_iter().filter(bad).map(|fact| file.offence(fact.line, format!("`{}`", fact.text))).collect()
}

/// H09: a clock that is set, or a machine that slept, makes no deadline fire early: every deadline, pause and window is of the
/// monotonic clock. (Dates in headers are compared with each other, in the plugins.)
#[test]
fn h09_the_host_reads_no_wall_clock() {
    let files: Vec<Source> =
        rust().into_iter().filter(|file| file.path.starts_with("host/") && !file.is_test()).collect();
    assert!(files.len() > 100, "{}", files.len());
    none(check(&files, reads_the_wall_clock));
}

#[test]
fn a_wall_clock_is_found() {
    let found = |text: &str| reads_the_wall_clock(&Source::sample("x.rs", text)).len();
    assert_eq!(found("fn f() { std::time::SystemTime::now(); }"), 1);
    assert_eq!(found("use std::time::{Instant, SystemTime};"), 1);
    assert_eq!(found("fn f() { tokio::time::Instant::now(); std::time::Instant::now(); }"), 0);
}
