//! Which configuration files npm would read, and where they are.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::Inputs;
use super::layers::Layers;

/// Largest configuration file that is read: 1 MiB holds a bundle of 500 certificates.
const MAX_FILE: u64 = 1 << 20;

/// The text of a file; nothing if there is none or it cannot be read as text. npm ignores such files too.
pub(super) fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The project's file: beside the nearest `package.json` or `node_modules` going up, or beside a `package.json` with
/// `workspaces` above that; else in the working directory.
///
/// npm also checks that the workspace is in the root's list. A `package.json` with `workspaces` above a package that is
/// not one of them is rare, and the digest decides what is run anyway.
pub(super) fn project(working_dir: &Path) -> PathBuf {
    let mut found: Option<&Path> = None;
    for dir in working_dir.ancestors() {
        let manifest = dir.join("package.json");
        match found {
            None if manifest.is_file() || dir.join("node_modules").is_dir() => found = Some(dir),
            Some(_) if has_workspaces(&manifest) => return dir.join(".npmrc"),
            _ => {}
        }
    }
    found.unwrap_or(working_dir).join(".npmrc")
}

fn has_workspaces(manifest: &Path) -> bool {
    read(manifest)
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .is_some_and(|value| value.get("workspaces").is_some())
}

/// The user's file: `userconfig`, else `.npmrc` in the home directory.
pub(super) fn user(inputs: &Inputs, layers: &Layers) -> PathBuf {
    layers.path("userconfig", inputs).unwrap_or_else(|| inputs.home.join(".npmrc"))
}

/// The global file: `globalconfig`, else `etc/npmrc` below `prefix`, else below the prefix of the `node` in `PATH`.
pub(super) fn global(inputs: &Inputs, layers: &Layers) -> Option<PathBuf> {
    if let Some(path) = layers.path("globalconfig", inputs) {
        return Some(path);
    }
    let prefix = layers
        .path("prefix", inputs)
        .or_else(|| (inputs.env)("PREFIX").filter(|prefix| !prefix.is_empty()).map(PathBuf::from))
        .or_else(|| prefix_of_node(inputs))?;
    Some(prefix.join("etc").join("npmrc"))
}

/// `/usr/bin/node` -> `/usr`; on Windows the directory of `node.exe`.
fn prefix_of_node(inputs: &Inputs) -> Option<PathBuf> {
    let node = std::fs::canonicalize(on_path(inputs, &["node", "node.exe"])?).ok()?;
    let dir = node.parent()?;
    if cfg!(windows) { Some(dir.to_owned()) } else { dir.parent().map(Path::to_owned) }
}

/// npm's own file, which distributions use: beside the `bin` directory that `npm` in `PATH` leads to.
pub(super) fn builtin(inputs: &Inputs) -> Option<PathBuf> {
    let npm = std::fs::canonicalize(npm_program(inputs)?).ok()?;
    let root = npm.parent()?.parent()?;
    root.join("package.json").is_file().then(|| root.join("npmrc"))
}

pub(super) fn npm_program(inputs: &Inputs) -> Option<PathBuf> {
    on_path(inputs, if cfg!(windows) { &["npm.cmd", "npm.exe"] } else { &["npm"] })
}

fn on_path(inputs: &Inputs, names: &[&str]) -> Option<PathBuf> {
    let path = (inputs.env)("PATH")?;
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .flat_map(|dir| names.iter().map(move |name| dir.join(name)))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_the_nearest_package_or_its_workspace_root() {
        let root = tempfile::tempdir().unwrap();
        let (outer, inner) = (root.path().join("outer"), root.path().join("outer/packages/inner"));
        let deep = inner.join("src/deep");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(project(&deep), deep.join(".npmrc"), "no package at all");
        std::fs::write(inner.join("package.json"), "{}").unwrap();
        assert_eq!(project(&deep), inner.join(".npmrc"));
        std::fs::write(outer.join("package.json"), "{}").unwrap();
        assert_eq!(project(&deep), inner.join(".npmrc"), "a package above is not a workspace root");
        std::fs::write(outer.join("package.json"), r#"{"workspaces":["packages/*"]}"#).unwrap();
        assert_eq!(project(&deep), outer.join(".npmrc"));
        std::fs::create_dir_all(deep.join("node_modules")).unwrap();
        assert_eq!(project(&deep), outer.join(".npmrc"), "node_modules marks a project, the root above still wins");
    }
}
