//! Manifests: every dependency says why it is there, and plugins say the version they are.

use crate::tree::{Offence, Source, all, check, manifests, none};

/// Lines of dependencies without a reason beside them.
fn without_reason(manifest: &Source) -> Vec<Offence> {
    let mut within = false;
    let mut offences = Vec::new();
    for (at, line) in manifest.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            within = line.trim_end_matches(']').ends_with("dependencies");
        } else if within && line.contains('=') && !line.starts_with('#') {
            let reason = line.rsplit_once(" # ").map_or("", |(_, reason)| reason.trim());
            if reason.len() < 5 {
                let name: String = line.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
                offences.push(manifest.offence(at, format!("no reason for `{name}`")));
            }
        }
    }
    offences
}

/// The value of a line such as `version = "0.1.0"` in a section.
fn value(manifest: &str, section: &str, key: &str) -> Option<String> {
    let after = manifest.split_once(&format!("[{section}]"))?.1;
    let lines = after.lines().take_while(|line| !line.trim_start().starts_with('['));
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    let found = lines.filter_map(pair).find(|(name, _)| name == key)?.1;
    Some(found.trim_matches('"').to_owned())
}

/// The version of a crate, its own or the workspace's.
fn version(manifest: &str, workspace: &str) -> Option<String> {
    value(manifest, "package", "version").or_else(|| {
        let inherited = value(manifest, "package", "version.workspace")? == "true";
        inherited.then(|| value(workspace, "workspace.package", "version")).flatten()
    })
}

fn wrong_version(description: &Source, manifest: &str, workspace: &str) -> Option<Offence> {
    let json: serde_json::Value = serde_json::from_str(&description.text).ok()?;
    let (said, is) = (json["version"].as_str()?.to_owned(), version(manifest, workspace)?);
    (said != is).then(|| description.offence(1, format!("the description says {said}, the crate is {is}")))
}

#[test]
fn every_dependency_has_its_reason() {
    let files = manifests();
    assert!(files.len() > 10, "{}", files.len());
    none(check(&files, without_reason));
}

#[test]
fn descriptions_say_the_version_of_their_crate() {
    let files = all();
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let descriptions: Vec<&Source> = files.iter().filter(|file| file.path.ends_with("/plugin.json")).collect();
    assert!(descriptions.len() >= 3, "{}", descriptions.len());
    let wrong = descriptions.into_iter().filter_map(|file| {
        let manifest = text(&file.path.replace("plugin.json", "Cargo.toml")).expect("a crate beside its description");
        assert!(version(manifest, text("Cargo.toml").expect("the root")).is_some(), "{}", file.path);
        wrong_version(file, manifest, text("Cargo.toml").expect("the root"))
    });
    none(wrong.collect());
}

#[test]
fn missing_reasons_and_wrong_versions_are_found() {
    let manifest = "[package]\nname = \"a\"\n\n[dependencies]\nserde = \"1\"\ntokio.workspace = true # the runtime\n\
                    [target.'cfg(unix)'.dependencies]\nlibc = { version = \"1\" } #\n[features]\na = []\n";
    let found = without_reason(&Source::sample("a/Cargo.toml", manifest));
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a/Cargo.toml:5: no reason for `serde`", "a/Cargo.toml:8: no reason for `libc`",]
    );
    let workspace = "[workspace.package]\nversion = \"0.2.0\"\n";
    let description = Source::sample("a/plugin.json", "{\"version\": \"0.1.0\"}");
    assert!(wrong_version(&description, "[package]\nversion.workspace = true\n", workspace).is_some());
    assert!(wrong_version(&description, "[package]\nversion = \"0.1.0\"\n", workspace).is_none());
}
