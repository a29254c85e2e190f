//! Marks that have no business in finished work, and names of package registries.

use crate::facts::{self, Kind};
use crate::tree::{Offence, Source, all, check, none, rust};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

/// In two halves, so that this file does not offend.
fn unfinished() -> [String; 4] {
    [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")].map(|(one, other)| format!("{one}{other}"))
}

fn marks(file: &Source) -> Vec<Offence> {
    let words = unfinished();
    let mark = |line: &str| {
        line.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| words.iter().any(|w| w == word)).map(str::to_owned)
    };
    file.lines().filter_map(|(at, line)| mark(line).map(|word| file.offence(at, word))).collect()
}

fn ignored(file: &Source) -> Vec<Offence> {
    let is = |text: &str| {
        text == "ignore" || text.starts_with("ignore(") || (text.starts_with("cfg_attr") && text.contains("ignore"))
    };
    let facts = facts::of(file).into_iter().filter(|fact| fact.kind == Kind::Attribute && is(&fact.text));
    facts.map(|fact| file.offence(fact.line, "an ignored test")).collect()
}

/// Hosts everybody knows, put together here because they must not be spelled.
fn known_registries() -> Vec<String> {
    let parts: [&[&str]; 8] = [
        &["registry", "npmjs", "org"],
        &["registry", "yarnpkg", "com"],
        &["npm", "pkg", "github", "com"],
        &["pypi", "org"],
        &["files", "pythonhosted", "org"],
        &["static", "crates", "io"],
        &["index", "crates", "io"],
        &["proxy", "golang", "org"],
    ];
    parts.iter().map(|parts| parts.join(".")).collect()
}

/// The configuration of package clients on this machine: files and variables, where they exist.
fn client_configuration() -> Vec<String> {
    const BELOW: [(&str, &str, &[&str]); 3] = [
        (
            "HOME",
            "",
            &[".npmrc", ".yarnrc", ".cargo/config.toml", ".cargo/config", ".config/pip/pip.conf", ".pip/pip.conf"],
        ),
        ("CARGO_HOME", "", &["config.toml", "config"]),
        ("XDG_CONFIG_HOME", "", &["pip/pip.conf", "uv/uv.toml"]),
    ];
    let below = BELOW.iter().flat_map(|(variable, default, files)| {
        let directory = env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from);
        files.iter().map(move |file| directory.join(file))
    });
    let named = ["NPM_CONFIG_USERCONFIG", "NPM_CONFIG_GLOBALCONFIG", "PIP_CONFIG_FILE"];
    let named = named.iter().filter_map(env::var_os).map(PathBuf::from);
    let everywhere = ["/etc/npmrc", "/etc/pip.conf", "/usr/etc/npmrc", "/usr/local/etc/npmrc"].map(PathBuf::from);
    let ours = |name: &str| ["REGISTR", "INDEX", "GOPROXY"].iter().any(|part| name.to_ascii_uppercase().contains(part));
    let variables = env::vars().filter(|(name, _)| ours(name)).map(|(_, value)| value);
    let paths = below.chain(named).chain(everywhere);
    paths.filter_map(|path| fs::read_to_string(path).ok()).chain(variables).collect()
}

/// The hosts of all URLs in a text. Hosts that are not a registry's own name say nothing and are left out.
fn hosts(text: &str) -> BTreeSet<String> {
    let host = |rest: &str| {
        let authority: String =
            rest.chars().take_while(|c| !matches!(c, '/' | '"' | '\'' | ',' | '?') && !c.is_whitespace()).collect();
        let host = authority.rsplit('@').next().unwrap_or_default();
        host.split(':').next().unwrap_or_default().to_ascii_lowercase()
    };
    let plain = |host: &String| host.contains('.') && host != "github.com" && !host.starts_with("127.");
    text.split("//").skip(1).map(host).filter(plain).collect()
}

fn names_a_registry(file: &Source, registries: &BTreeSet<String>) -> Vec<Offence> {
    let named = |line: &str| registries.iter().find(|host| line.to_ascii_lowercase().contains(host.as_str())).cloned();
    file.lines().filter_map(|(at, line)| named(line).map(|_| file.offence(at, "names a package registry"))).collect()
}

#[test]
fn nothing_is_marked_as_unfinished() {
    let code = |file: &Source| [".rs", ".toml", ".wit", ".md", ".json"].iter().any(|end| file.path.ends_with(end));
    none(check(&all().into_iter().filter(code).collect::<Vec<_>>(), marks));
}

#[test]
fn no_test_is_ignored() {
    none(check(&rust(), ignored));
}

#[test]
fn no_package_registry_is_named() {
    let mut registries: BTreeSet<String> = known_registries().into_iter().collect();
    registries.extend(client_configuration().iter().flat_map(|text| hosts(text)));
    // Cargo writes Cargo.lock.
    let files: Vec<Source> = all().into_iter().filter(|file| file.path != "Cargo.lock").collect();
    println!("{} hosts looked for in {} files", registries.len(), files.len());
    none(check(&files, |file| names_a_registry(file, &registries)));
}

#[test]
fn marks_and_registries_are_found() {
    let mark = &unfinished()[0];
    assert_eq!(marks(&Source::sample("x.rs", &format!("// {mark}: later\nfn f() {{}}\n"))).len(), 1);
    assert_eq!(marks(&Source::sample("x.rs", "let TODOS = 1; // hack")).len(), 0);
    assert_eq!(ignored(&Source::sample("x.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}")).len(), 1);
    assert_eq!(ignored(&Source::sample("x.rs", "#[cfg_attr(windows, ignore)]\nfn f() {}")).len(), 1);
    let found = hosts(
        "registry=https://user:pass@Mirror.Example:8443/npm/\n//other.example/npm/:_authToken=x\nhttp://127.0.0.1:4873/",
    );
    assert_eq!(found, BTreeSet::from(["mirror.example".to_owned(), "other.example".to_owned()]));
    let file = Source::sample("x.md", "see https://mirror.example/npm/foo");
    assert_eq!(names_a_registry(&file, &found).len(), 1);
    let file = Source::sample("x.md", &format!("see {}", known_registries()[0]));
    assert_eq!(names_a_registry(&file, &known_registries().into_iter().collect()).len(), 1);
}
