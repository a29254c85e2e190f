//! Product code does not panic.

use crate::facts::{self, Fact, Kind};
use crate::tree::{Offence, Source, check, manifests, none, rust};

const METHODS: [&str; 4] = ["expect", "expect_err", "unwrap", "unwrap_err"];
const MACROS: [&str; 5] = ["dbg", "panic", "todo", "unimplemented", "unreachable"];

fn panics(file: &Source) -> Vec<Offence> {
    let what = |fact: &Fact| match fact.kind {
        _ if fact.test => None,
        Kind::Method if METHODS.contains(&fact.text.as_str()) => Some(format!("`.{}()`", fact.text)),
        Kind::Macro if MACROS.contains(&fact.text.as_str()) => Some(format!("`{}!`", fact.text)),
        Kind::Index => Some("indexing".to_owned()),
        _ => None,
    };
    facts::of(file).iter().filter_map(|fact| what(fact).map(|what| file.offence(fact.line, what))).collect()
}

fn without_lints(manifest: &Source) -> Vec<Offence> {
    let text: String = manifest.text.split_whitespace().collect();
    let has = text.contains("[lints]workspace=true");
    if has { Vec::new() } else { vec![manifest.offence(1, "no `[lints] workspace = true`")] }
}

#[test]
fn product_code_does_not_panic() {
    let product = |file: &Source| !file.is_test() && !file.path.starts_with("tests/");
    let files: Vec<Source> = rust().into_iter().filter(product).collect();
    assert!(files.len() > 80, "{}", files.len());
    none(check(&files, panics));
}

#[test]
fn every_crate_has_the_lints() {
    none(check(&manifests(), without_lints));
}

#[test]
fn panics_are_found() {
    let found = |text: &str| panics(&Source::sample("x.rs", text)).len();
    assert_eq!(found("fn f() { a.unwrap(); b.expect(\"c\"); d[0]; panic!(); }"), 4);
    assert_eq!(found("fn f() { format!(\"{}\", a.unwrap()); todo!() }"), 2);
    assert_eq!(found("fn f() { a.unwrap_or(b); a.get(0); }"), 0);
    assert_eq!(found("#[cfg(test)] mod tests { #[test] fn f() { a.unwrap(); } }"), 0);
    assert_eq!(without_lints(&Source::sample("Cargo.toml", "[package]\nname = \"a\"\n")).len(), 1);
    assert_eq!(without_lints(&Source::sample("Cargo.toml", "[lints]\nworkspace = true\n")).len(), 0);
}
