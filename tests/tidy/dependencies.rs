//! Dependencies have the licenses and come from the places that deny.toml allows, and none of those it bans is among them.

use crate::tree::root;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// What deny.toml allows.
struct Allowed {
    licenses: Vec<String>,
    banned: Vec<String>,
}

impl Allowed {
    fn read() -> Self {
        let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
        let file: toml::Table = text.parse().expect("TOML");
        let list = |section: &str, key: &str| file[section][key].as_array().expect("a list").clone();
        let licenses = list("licenses", "allow").iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
        let banned = list("bans", "deny").iter().map(|ban| ban["name"].as_str().expect("a name").to_owned()).collect();
        assert_eq!(file["sources"]["unknown-registry"].as_str(), Some("deny"));
        assert_eq!(file["sources"]["unknown-git"].as_str(), Some("deny"));
        Self { licenses, banned }
    }

    /// What is wrong with a package of the graph.
    fn offences(&self, package: &Value) -> Vec<String> {
        let name = package["name"].as_str().unwrap_or_default();
        let mut offences = Vec::new();
        if self.banned.iter().any(|banned| banned == name) {
            offences.push(format!("{name}: banned"));
        }
        match package["source"].as_str() {
            None => {} // a member of the workspace
            Some(source) if source.starts_with("registry+") => {}
            Some(source) => offences.push(format!("{name}: comes from {source}")),
        }
        let license = package["license"].as_str().unwrap_or("none");
        if !allows(license, &self.licenses) {
            offences.push(format!("{name}: its license is {license}"));
        }
        offences
    }
}

/// Whether a license expression (SPDX; `/` is its old spelling of OR) can be met with what is allowed.
fn allows(expression: &str, licenses: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let spaced = spaced.replace(" WITH ", "~");
    let words: Vec<String> = spaced.split_whitespace().map(|word| word.replace('~', " WITH ")).collect();
    let mut at = 0;
    any(&words, &mut at, licenses) && at == words.len()
}

fn any(words: &[String], at: &mut usize, licenses: &[String]) -> bool {
    let mut met = every(words, at, licenses);
    while words.get(*at).is_some_and(|word| word == "OR") {
        *at += 1;
        met |= every(words, at, licenses);
    }
    met
}

fn every(words: &[String], at: &mut usize, licenses: &[String]) -> bool {
    let mut met = one(words, at, licenses);
    while words.get(*at).is_some_and(|word| word == "AND") {
        *at += 1;
        met &= one(words, at, licenses);
    }
    met
}

fn one(words: &[String], at: &mut usize, licenses: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if word != "(" {
        return licenses.contains(word);
    }
    let met = any(words, at, licenses);
    *at += 1; // the closing one
    met
}

#[test]
fn dependencies_are_what_deny_toml_allows() {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .output()
        .expect("cargo, which built this");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 200, "{}", packages.len());
    let allowed = Allowed::read();
    let offences: Vec<String> = packages.iter().flat_map(|package| allowed.offences(package)).collect();
    assert!(offences.is_empty(), "{}\nhint: see deny.toml", offences.join("\n"));
}

#[test]
fn expressions_and_offences_are_understood() {
    let licenses = ["MIT".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned(), "Unicode-3.0".to_owned()];
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("Apache-2.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("Apache-2.0 WITH Other-exception", false),
        ("", false),
        ("(MIT", false),
    ] {
        assert_eq!(allows(expression, &licenses), met, "{expression}");
    }
    let allowed = Allowed { licenses: licenses.into(), banned: vec!["openssl-sys".into()] };
    let bad = serde_json::json!({ "name": "openssl-sys", "license": null, "source": "git+https://example.com/x" });
    assert_eq!(allowed.offences(&bad).len(), 3);
    let own = serde_json::json!({ "name": "llmp", "license": "MIT", "source": null });
    assert!(allowed.offences(&own).is_empty());
}
