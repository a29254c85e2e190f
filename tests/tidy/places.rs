//! Things that stand in one place each, where they are thought about.

use crate::facts::{self, Fact, Kind};
use crate::tree::{Offence, Source, check, none, rust};

/// A rule: what it is about, how it is recognised, where it may stand.
struct Place {
    what: &'static str,
    is: fn(&Fact) -> bool,
    /// Beginnings of paths, each with how often it may stand below.
    allowed: &'static [(&'static str, usize)],
    /// Whether tests may do it too.
    in_tests: bool,
}

fn path_ends(fact: &Fact, ends: &[&str]) -> bool {
    let ends_with = |end: &&str| fact.text == **end || fact.text.ends_with(&format!("::{end}"));
    fact.kind == Kind::Path && ends.iter().any(ends_with)
}

const MANY: usize = usize::MAX;

const PLACES: [Place; 6] = [
    Place {
        what: "a process is started",
        is: |fact| path_ends(fact, &["Command::new"]),
        allowed: &[("host/process/src/", MANY), ("guest/build/src/", MANY)],
        in_tests: true,
    },
    Place {
        what: "an HTTP client is built",
        is: |fact| path_ends(fact, &["Client::builder", "ClientBuilder::new", "reqwest::Client::new"]),
        allowed: &[("host/http/src/", 1), ("host/artefact/src/", 1)],
        in_tests: true,
    },
    Place {
        what: "an unbounded channel",
        is: |fact| path_ends(fact, &["unbounded_channel", "UnboundedSender", "UnboundedReceiver", "mpsc::unbounded"]),
        allowed: &[],
        in_tests: false,
    },
    Place {
        what: "a task begins",
        is: |fact| path_ends(fact, &["tokio::spawn", "task::spawn", "task::spawn_local"]),
        allowed: &[("host/src/tasks.rs", MANY), ("host/http/src/exchange.rs", 1), ("host/model-server/src/", 1)],
        in_tests: true,
    },
    Place {
        what: "bindings are generated",
        is: |fact| fact.kind == Kind::Macro && ["bindgen", "generate"].iter().any(|name| fact.text.ends_with(name)),
        allowed: &[("host/src/bindings.rs", 1), ("guest/bindings/src/bindings.rs", 1)],
        in_tests: false,
    },
    Place {
        what: "unsafe code",
        is: |fact| fact.kind == Kind::Unsafe,
        // The hostile plugin makes a string that is none.
        allowed: &[("host/process/", MANY), ("tests/guests/src/probe.rs", 1)],
        in_tests: false,
    },
];

fn misplaced(files: &[Source], place: &Place) -> Vec<Offence> {
    let mut left: Vec<usize> = place.allowed.iter().map(|(_, times)| *times).collect();
    let mut offences = Vec::new();
    for file in files.iter().filter(|file| !(place.in_tests && file.is_test())) {
        for fact in facts::of(file).iter().filter(|fact| (place.is)(fact) && !(place.in_tests && fact.test)) {
            let at = place.allowed.iter().position(|(begin, _)| file.path.starts_with(begin));
            match at.map(|at| &mut left[at]) {
                Some(times) if *times > 0 => *times -= 1,
                _ => offences.push(file.offence(fact.line, format!("{}: `{}`", place.what, fact.text))),
            }
        }
    }
    offences
}

/// The roots of crates, which say that there is nothing unsafe below them.
fn is_root(file: &Source) -> bool {
    ["/src/lib.rs", "/src/main.rs"].iter().any(|end| file.path.ends_with(end))
}

fn does_not_forbid_unsafe(file: &Source) -> Vec<Offence> {
    // Generated bindings contain unsafe code; the process crate is the place for it; the hostile plugin does what it can.
    let exempt = ["guest/bindings/", "host/process/", "tests/guests/"].iter().any(|part| file.path.starts_with(part));
    let forbids = facts::of(file).iter().any(|fact| fact.kind == Kind::Attribute && fact.text == "forbid(unsafe_code)");
    if exempt || forbids { Vec::new() } else { vec![file.offence(1, "no `#![forbid(unsafe_code)]`")] }
}

#[test]
fn each_thing_is_in_its_place() {
    let files = rust();
    none(PLACES.iter().flat_map(|place| misplaced(&files, place)).collect());
}

#[test]
fn crates_forbid_unsafe_code() {
    let roots: Vec<Source> = rust().into_iter().filter(is_root).collect();
    assert!(roots.len() > 10, "{}", roots.len());
    none(check(&roots, does_not_forbid_unsafe));
}

#[test]
fn misplaced_things_are_found() {
    let found = |path: &str, text: &str| {
        let files = [Source::sample(path, text)];
        PLACES.iter().map(|place| misplaced(&files, place).len()).sum::<usize>()
    };
    assert_eq!(found("host/src/x.rs", "fn f() { std::process::Command::new(\"sh\"); }"), 1);
    assert_eq!(found("host/process/src/x.rs", "fn f() { Command::new(\"sh\"); }"), 0);
    assert_eq!(found("host/http/src/x.rs", "fn f() { reqwest::Client::builder(); }"), 0);
    assert_eq!(found("host/http/src/x.rs", "fn f() { reqwest::Client::builder(); Client::builder(); }"), 1);
    assert_eq!(found("host/src/x.rs", "fn f() { tokio::spawn(g()); mpsc::unbounded_channel::<u8>(); }"), 2);
    assert_eq!(found("host/src/tasks.rs", "fn f() { tokio::spawn(g()); }"), 0);
    assert_eq!(found("host/src/x.rs", "wasmtime::component::bindgen!({});"), 1);
    assert_eq!(found("host/src/bindings.rs", "bindgen!({}); bindgen!({});"), 1);
    assert_eq!(found("guest/core/src/x.rs", "fn f() { unsafe { g() } } unsafe impl Send for A {}"), 2);
    assert_eq!(found("tests/it/x.rs", "#[test] fn f() { tokio::spawn(g()); Command::new(\"sh\"); }"), 0);
    assert_eq!(does_not_forbid_unsafe(&Source::sample("host/src/lib.rs", "//! Docs.\nmod a;")).len(), 1);
    assert_eq!(does_not_forbid_unsafe(&Source::sample("host/src/lib.rs", "#![forbid(unsafe_code)]")).len(), 0);
}
