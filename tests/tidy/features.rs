//! One set of features: what the program is built with is part of what all tests are built with, so that `cargo test` after
//! `cargo run` compiles nothing a second time, wasmtime least of all.

use std::collections::BTreeSet;
use std::process::Command;

use crate::tree::root;

/// Every package with its features, as cargo chooses them for this machine.
fn packages(selection: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p} [{f}]"])
        .args(selection)
        .output()
        .expect("cargo, which built this");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).filter(|line| !line.is_empty()).collect()
}

/// What is built for the program and not for the tests.
fn only_for_the_program(program: &BTreeSet<String>, tests: &BTreeSet<String>) -> Vec<String> {
    program.difference(tests).cloned().collect()
}

#[test]
fn one_set_of_features() {
    let program = packages(&["--package", "llmp", "--edges", "normal,build"]);
    let tests = packages(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(program.len() > 200, "{}", program.len());
    let twice = only_for_the_program(&program, &tests);
    assert!(
        twice.is_empty(),
        "these are compiled once for `cargo run` and again for `cargo test`, with all that stands on them:\n{}\n\
         hint: see the end of the dependencies in host/llmp/Cargo.toml",
        twice.join("\n")
    );
}

#[test]
fn a_feature_that_only_tests_turn_on_is_found() {
    let set = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<BTreeSet<String>>();
    let program = set(&["anyhow v1.0.104 []", "serde v1.0.229 [std]"]);
    let tests = set(&["anyhow v1.0.104 [std]", "serde v1.0.229 [std]", "proptest v1.12.0 []"]);
    assert_eq!(only_for_the_program(&program, &tests), ["anyhow v1.0.104 []"]);
}
