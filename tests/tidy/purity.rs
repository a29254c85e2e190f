//! Plugins know no world but their inputs.

use crate::facts::{self, Fact, Kind};
use crate::tree::{Offence, Source, check, none, rust};

/// Modules of the standard library that reach outside, or depend on when and where.
const OUTSIDE: [&str; 7] = ["env", "fs", "net", "os", "process", "thread", "time"];
/// A moment that is handed in, or read from a header, is a value like any other; what is asked of it reads the clock. (Nothing
/// else could: in a plugin the standard library has none, and panics.)
const VALUES: [&str; 2] = ["SystemTime", "std::time::SystemTime"];
/// Names whose use makes a run differ from the next.
const ACCIDENTAL: [&str; 5] = ["HashMap", "HashSet", "RandomState", "SystemTime", "DefaultHasher"];
/// Crates with a world of their own.
const CRATES: [&str; 9] = ["async_std", "chrono", "futures", "getrandom", "libc", "rand", "reqwest", "smol", "tokio"];
/// Macros that read the building machine.
const MACROS: [&str; 2] = ["env", "option_env"];

fn impure(file: &Source) -> Vec<Offence> {
    let bad = |fact: Fact| -> Option<Offence> {
        let why = match fact.kind {
            _ if fact.test => None,
            Kind::Async => Some(format!("{} in a plugin", fact.text)),
            Kind::Path => path(&fact.text),
            Kind::Macro if MACROS.contains(&fact.text.as_str()) => Some(format!("`{}!`", fact.text)),
            _ => None,
        };
        why.map(|why| file.offence(fact.line, why))
    };
    facts::of(file).into_iter().filter_map(bad).collect()
}

fn path(path: &str) -> Option<String> {
    if VALUES.contains(&path) {
        return None;
    }
    let mut segments = path.split("::");
    let (first, second) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let outside = first == "std" && OUTSIDE.contains(&second);
    let accidental = path.split("::").any(|segment| ACCIDENTAL.contains(&segment));
    let foreign = CRATES.contains(&first) && !second.is_empty();
    (outside || accidental || foreign).then(|| format!("`{path}`"))
}

fn in_a_plugin(file: &Source) -> bool {
    ["anthropic", "copilot", "core", "gemini", "openai"]
        .iter()
        .any(|part| file.path.starts_with(&format!("guest/{part}/src/")))
        && !file.is_test()
}

#[test]
fn plugins_are_pure() {
    let files: Vec<Source> = rust().into_iter().filter(in_a_plugin).collect();
    assert!(files.len() > 30, "{}", files.len());
    none(check(&files, impure));
}

#[test]
fn impurity_is_found() {
    let found = |text: &str| impure(&Source::sample("x.rs", text)).len();
    assert_eq!(found("use std::time::SystemTime; fn f(at: SystemTime) {}"), 0);
    assert_eq!(found("fn f() { SystemTime::now() }"), 1);
    assert_eq!(found("fn f() { std::time::SystemTime::now() }"), 1);
    assert_eq!(found("use std::{env, collections::{BTreeMap, HashMap}};"), 2);
    assert_eq!(found("fn f() { let a = std::time::Instant::now(); }"), 1);
    assert_eq!(found("fn f() { println!(\"{:?}\", std::fs::read(path)); }"), 1);
    assert_eq!(found("use tokio::sync::mpsc; async fn f() { g().await }"), 3);
    assert_eq!(found("const A: &str = env!(\"HOME\");"), 1);
    assert_eq!(found("fn f() -> std::collections::HashSet<u8> { rand::random() }"), 2);
    assert_eq!(found("use std::collections::BTreeMap; fn f(now: Instant) {}"), 0);
    assert_eq!(found("#[cfg(test)] mod tests { use std::fs; }"), 0);
}
