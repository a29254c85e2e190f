//! What was decided by which name, for `llmp doctor`. It holds names, never values.

use super::From;
use std::path::PathBuf;

/// How the configuration came about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// The file that was read.
    pub(crate) file: Option<ConfigFile>,
    /// Every setting that is set somewhere.
    pub(crate) settings: Vec<Setting>,
    /// What a person may want to know and need not change.
    pub(crate) notes: Vec<String>,
    /// What will probably not work as meant.
    pub(crate) problems: Vec<Problem>,
}

/// The configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    /// `--config`, `LLMP_CONFIG`, or why this one was looked for.
    pub(crate) named_by: String,
}

/// Which name decided a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    /// The flag, variable, or file and key that won.
    pub(crate) from: String,
    /// The others that are set, which it overrides.
    pub(crate) overridden: Vec<String>,
}

/// Something to correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Report {
    /// Takes the first offer, and remembers which others it overrides.
    pub(super) fn choose<T>(
        &mut self,
        name: &str,
        offers: impl IntoIterator<Item = Option<From<T>>>,
    ) -> Option<From<T>> {
        let mut offers = offers.into_iter().flatten();
        let winner = offers.next()?;
        let overridden = offers.map(|offer| offer.from).collect();
        self.settings.push(Setting { name: name.to_owned(), from: winner.from.clone(), overridden });
        Some(winner)
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(super) fn problem(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem { message: message.into(), hint: hint.into() });
    }
}
