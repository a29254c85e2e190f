//! The library's behaviour comes from values that it is given.

use crate::facts::{self, Fact, Kind};
use crate::tree::{Offence, Source, check, none, rust};

/// What reads the environment of the process, its arguments, or where it was started.
const READERS: [&str; 8] = ["var", "var_os", "vars", "vars_os", "args", "args_os", "current_dir", "current_exe"];

fn reads_the_environment(file: &Source) -> Vec<Offence> {
    let bad = |fact: &Fact| {
        let mut segments = fact.text.split("::").skip_while(|segment| *segment != "env");
        let named = segments.next().is_some() && segments.next().is_some_and(|name| READERS.contains(&name));
        fact.kind == Kind::Path && !fact.test && named
    };
    facts::of(file).into_iter().filter(bad).map(|fact| file.offence(fact.line, format!("`{}`", fact.text))).collect()
}

fn of_the_library(file: &Source) -> bool {
    let ours = ["host/src/", "host/artefact/src/", "host/http/src/", "host/mcp/src/", "host/process/src/"];
    ours.iter().any(|part| file.path.starts_with(part)) && !file.is_test()
}

/// B23: in a process with many tenants a variable would be everybody's setting. Only the program reads them, and hands them
/// over as values.
#[test]
fn b23_the_library_reads_no_environment() {
    let files: Vec<Source> = rust().into_iter().filter(of_the_library).collect();
    assert!(files.len() > 100, "{}", files.len());
    none(check(&files, reads_the_environment));
}

#[test]
fn a_reader_of_the_environment_is_found() {
    let found = |text: &str| reads_the_environment(&Source::sample("x.rs", text)).len();
    assert_eq!(found("fn f() { std::env::var(\"A\"); }"), 1);
    assert_eq!(found("use std::env; fn f() { env::vars_os(); }"), 1);
    assert_eq!(found("fn f() { std::env::split_paths(p); Spec::new(a).env(b, c); std::env::consts::OS; }"), 0);
}
