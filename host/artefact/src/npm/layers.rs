//! Settings in order of precedence: environment, project, user, global, built-in.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Inputs;
use super::ini::{self, Entry};
use super::{files, project};
use crate::Error;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A variable (`npm_config_...`).
    Environment(String),
    /// A project's `.npmrc`.
    Project(PathBuf),
    /// The user's `.npmrc`.
    User(PathBuf),
    /// The machine's `npmrc`.
    Global(PathBuf),
    /// npm's own `npmrc`.
    Builtin(PathBuf),
    /// npm's answer to `npm config get registry`.
    Npm(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "the variable {name}"),
            Self::Project(path) => write!(f, "the project's {}", path.display()),
            Self::User(path) => write!(f, "the user's {}", path.display()),
            Self::Global(path) | Self::Builtin(path) => write!(f, "{}", path.display()),
            Self::Npm(path) => write!(f, "{} config get registry", path.display()),
        }
    }
}

/// A setting that won, expanded.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) source: Source,
    /// Variables the value refers to that are not set.
    pub(super) missing: Vec<String>,
}

/// Files that were read, highest precedence first. The environment goes before them and is asked by name.
pub(super) struct Layers {
    files: Vec<(Source, Vec<Entry>)>,
    /// What was left out of the project's file and why.
    pub(super) notes: Vec<String>,
}

impl Layers {
    /// Reads the files. Each may say where the next one is, as in npm, but for the project's, see [`project`].
    pub(super) fn read(inputs: &Inputs) -> Self {
        let mut layers = Self { files: Vec::new(), notes: Vec::new() };
        let own = files::project(&inputs.working_dir);
        let user = files::user(inputs, &layers);
        if own != user
            && let Some(text) = files::read(&own)
        {
            let (entries, notes) = project::allowed(ini::parse(&text), &own);
            layers.files.push((Source::Project(own), entries));
            layers.notes = notes;
        }
        layers.add(Source::User, &user);
        if let Some(global) = files::global(inputs, &layers) {
            layers.add(Source::Global, &global);
        }
        if let Some(builtin) = files::builtin(inputs) {
            layers.add(Source::Builtin, &builtin);
        }
        layers
    }

    fn add(&mut self, source: fn(PathBuf) -> Source, path: &Path) {
        if let Some(text) = files::read(path) {
            self.files.push((source(path.to_owned()), ini::parse(&text)));
        }
    }

    /// The setting with the highest precedence. An empty variable counts as not set, as in npm.
    pub(super) fn setting(&self, key: &str, inputs: &Inputs) -> Option<Setting> {
        if let Some((name, value)) = from_environment(key, inputs) {
            return Some(expanded(&value, Source::Environment(name), inputs));
        }
        let find = |(source, entries): &(Source, Vec<Entry>)| {
            let entry = entries.iter().rev().find(|entry| ini::expand(&entry.key, &*inputs.env).text == key)?;
            Some(expanded(&entry.value, source.clone(), inputs))
        };
        self.files.iter().find_map(find)
    }

    /// Like [`Self::setting`], without the values that mean "none".
    pub(super) fn chosen(&self, key: &str, inputs: &Inputs) -> Option<Setting> {
        self.setting(key, inputs).filter(|setting| !matches!(setting.value.as_str(), "" | "null" | "undefined"))
    }

    /// All elements of a list from the layer that wins, or its one value.
    pub(super) fn list(&self, key: &str, inputs: &Inputs) -> Option<(Vec<String>, Source)> {
        let winner = self.chosen(key, inputs)?;
        let listed = |(source, entries): &(Source, Vec<Entry>)| {
            let values = entries.iter().filter(|entry| entry.listed && entry.key == key);
            let values: Vec<_> = values.map(|entry| ini::expand(&entry.value, &*inputs.env).text).collect();
            (*source == winner.source && !values.is_empty()).then_some(values)
        };
        let values = self.files.iter().find_map(listed).unwrap_or_else(|| vec![winner.value]);
        Some((values, winner.source))
    }

    /// A setting that is a path: `~/` is the home directory, a relative path starts at the working directory.
    pub(super) fn path(&self, key: &str, inputs: &Inputs) -> Option<PathBuf> {
        let value = self.chosen(key, inputs)?.value;
        Some(super::resolve_path(&value, inputs))
    }

    /// Keys that start with `//`, from all files, expanded: what credentials are bound to.
    pub(super) fn bound_keys(&self, inputs: &Inputs) -> Vec<String> {
        let entries = self.files.iter().flat_map(|(_, entries)| entries);
        let keys = entries.map(|entry| ini::expand(&entry.key, &*inputs.env).text);
        keys.filter(|key| key.starts_with("//")).collect()
    }
}

fn expanded(value: &str, source: Source, inputs: &Inputs) -> Setting {
    let ini::Expanded { text, missing } = ini::expand(value.trim(), &*inputs.env);
    Setting { value: text, source, missing }
}

/// npm takes `npm_config_` in any case and `_` for `-`; variables can only be asked by name here, so the two common
/// spellings are. Keys with `//` or `@` have one spelling.
fn from_environment(key: &str, inputs: &Inputs) -> Option<(String, String)> {
    let plain = key.replace('-', "_");
    let names = if key.starts_with(['/', '@']) {
        vec![format!("npm_config_{key}"), format!("NPM_CONFIG_{key}")]
    } else {
        vec![format!("npm_config_{plain}"), format!("NPM_CONFIG_{}", plain.to_uppercase())]
    };
    names.into_iter().find_map(|name| {
        let value = (inputs.env)(&name).filter(|value| !value.is_empty())?;
        Some((name, value))
    })
}

impl Setting {
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> Error {
        Error::NpmSetting { key: key.to_owned(), from: self.source.to_string(), problem: problem.into() }
    }
}
