//! Reading a TOML document key by key.
//!
//! A [`Section`] is asked for the keys that it may have. Those are the known keys; there is no second list of them.
//! Whatever is left when it is [finished](Section::finish) is an error that names the nearest known key.

use super::nearest::suggestion;
use super::{From, duration, printable};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a configuration file.
#[derive(Debug)]
pub(super) struct Document {
    /// As messages call it: `llmp.toml`, or its path.
    pub(super) name: String,
    /// Where its relative paths start.
    pub(super) directory: PathBuf,
    /// Where its paths with `~/` start.
    pub(super) home: Option<PathBuf>,
    pub(super) text: String,
}

/// Names that would hold a secret's value, in lower case, with `-`.
const SECRETS: [&str; 11] = [
    "token",
    "github-token",
    "auth-token",
    "bearer-token",
    "access-token",
    "api-token",
    "api-key",
    "apikey",
    "key",
    "secret",
    "password",
];

impl Document {
    /// Parses the text and hands its top to `read`, which must ask for every key that is known there.
    pub(super) fn read<T>(&self, read: impl FnOnce(Section<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let table = DeTable::parse(&self.text).map_err(|error| {
            let what = printable(error.message().lines().next().unwrap_or("it cannot be read"));
            self.wrong(&what, error.span(), "correct the TOML at that line")
        })?;
        read(Section { document: self, table: table.get_ref(), path: Vec::new(), asked: Vec::new() })
    }

    fn wrong(&self, what: &str, at: Option<Range<usize>>, hint: impl Into<String>) -> Failure {
        let line = at.and_then(|span| self.text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
        let line = line.map(|line| format!(" (line {line})")).unwrap_or_default();
        Failure::usage(format!("{}: {what}{line}", self.name), hint)
    }
}

/// A table of the document.
pub(super) struct Section<'d> {
    document: &'d Document,
    table: &'d DeTable<'d>,
    path: Vec<String>,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// A text. An empty one counts as absent, as an empty variable does.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<From<String>>, Failure> {
        let text = self.value(key, "text in quotes", |value| value.as_str().map(str::to_owned))?;
        Ok(text.filter(|text| !text.value.is_empty()))
    }

    /// A path: `~/` is the home directory, a relative one starts at the file's directory.
    pub(super) fn path(&mut self, key: &'static str) -> Result<Option<From<PathBuf>>, Failure> {
        let text = self.text(key)?;
        Ok(text.map(|text| From { value: self.document.resolve(&text.value), from: text.from }))
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Result<Option<From<bool>>, Failure> {
        self.value(key, "true or false", DeValue::as_bool)
    }

    /// A whole number above 0.
    pub(super) fn count(&mut self, key: &'static str) -> Result<Option<From<u32>>, Failure> {
        self.value(key, "a whole number above 0", |value| {
            let number = value.as_integer()?;
            u32::from_str_radix(number.as_str(), number.radix()).ok().filter(|number| *number > 0)
        })
    }

    pub(super) fn duration(&mut self, key: &'static str) -> Result<Option<From<Duration>>, Failure> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match duration::parse(&text.value) {
            Some(value) => Ok(Some(From { value, from: text.from })),
            None => Err(self.wrong_value(key, "is not a duration between 1 ms and a day", duration::FORM)),
        }
    }

    /// One of some names, each with what it stands for.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        key: &'static str,
        names: &[(&'static str, T)],
    ) -> Result<Option<From<T>>, Failure> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        if let Some((_, value)) = names.iter().find(|(name, _)| *name == text.value) {
            return Ok(Some(From { value: *value, from: text.from }));
        }
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let hint = suggestion(&text.value, &known);
        let what = format!("unknown value `{}` of `{key}`{}", printable(&text.value), self.place());
        Err(self.document.wrong(&what, self.span(key), hint))
    }

    /// A list of texts.
    pub(super) fn list(&mut self, key: &'static str) -> Result<Option<From<Vec<String>>>, Failure> {
        self.value(key, "a list of texts in quotes", |value| {
            let items = value.as_array()?.iter();
            items.map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        })
    }

    /// A table of texts under names that are the user's.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<BTreeMap<String, From<String>>, Failure> {
        let Some(section) = self.section(key)? else { return Ok(BTreeMap::new()) };
        let entry = |(name, value): (&Spanned<_>, &'d Spanned<DeValue<'d>>)| {
            let name: &std::borrow::Cow<'_, str> = name.get_ref();
            let from = section.label(name);
            match value.get_ref().as_str() {
                Some(text) => Ok((name.to_string(), From { value: text.to_owned(), from })),
                None => Err(section.wrong_type(name, "text in quotes", value)),
            }
        };
        section.table.iter().map(entry).collect()
    }

    pub(super) fn section(&mut self, key: &'static str) -> Result<Option<Section<'d>>, Failure> {
        self.asked.push(key);
        match self.table.get(key) {
            Some(value) => self.below(key, value).map(Some),
            None => Ok(None),
        }
    }

    /// Tables under names that are the user's, such as `[providers.NAME]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Result<Vec<(String, Section<'d>)>, Failure> {
        let Some(section) = self.section(key)? else { return Ok(Vec::new()) };
        let named = |(name, value): (&Spanned<std::borrow::Cow<'d, str>>, &'d Spanned<DeValue<'d>>)| {
            Ok((name.get_ref().to_string(), section.below(name.get_ref(), value)?))
        };
        section.table.iter().map(named).collect()
    }

    /// The failure for a value that was read and is wrong.
    pub(super) fn wrong_value(&self, key: &str, problem: &str, hint: impl Into<String>) -> Failure {
        let what = format!("`{}`{} {problem}", printable(key), self.place());
        self.document.wrong(&what, self.span(key), hint)
    }

    /// The failure for a table whose own name is wrong.
    pub(super) fn wrong_name(&self, problem: &str, hint: impl Into<String>) -> Failure {
        let what = format!("[{}] {problem}", printable(&self.path.join(".")));
        self.document.wrong(&what, None, hint)
    }

    /// Ends the reading: a key that nobody asked for is an error.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let unknown = self.table.keys().find(|key| !self.asked.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown else { return Ok(()) };
        let name = printable(key.get_ref());
        if SECRETS.contains(&name.to_lowercase().replace('_', "-").as_str()) {
            let what = format!("`{name}`{} would be a secret, and secrets do not stand in this file", self.place());
            return Err(self.document.wrong(&what, Some(key.span()), self.secret_hint()));
        }
        let what = format!("unknown key `{name}`{}", self.place());
        Err(self.document.wrong(&what, Some(key.span()), suggestion(key.get_ref(), &self.asked)))
    }

    /// The forms that name the secret's place are those that this section knows.
    fn secret_hint(&self) -> String {
        let forms = [("-env", "a variable"), ("-file", "a file")].map(|(end, place)| {
            let key = self.asked.iter().find(|key| key.ends_with(end))?;
            Some(format!("name {place} that holds it with `{key}`"))
        });
        let forms: Vec<_> = forms.into_iter().flatten().collect();
        if forms.is_empty() {
            return "use `token-env` or `token-file` in [github], `key-env` or `key-file` in [providers.NAME]"
                .to_owned();
        }
        forms.join(", or ")
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Result<Option<From<T>>, Failure> {
        self.asked.push(key);
        let Some(value) = self.table.get(key) else { return Ok(None) };
        match read(value.get_ref()) {
            Some(value) => Ok(Some(From { value, from: self.label(key) })),
            None => Err(self.wrong_type(key, wanted, value)),
        }
    }

    fn below(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Result<Section<'d>, Failure> {
        let table = value.get_ref().as_table().ok_or_else(|| self.wrong_type(key, "a table", value))?;
        let path = self.path.iter().map(String::as_str).chain([key]).map(str::to_owned).collect();
        Ok(Section { document: self.document, table, path, asked: Vec::new() })
    }

    fn wrong_type(&self, key: &str, wanted: &str, value: &Spanned<DeValue<'d>>) -> Failure {
        let found = match value.get_ref() {
            DeValue::String(_) => "text".to_owned(),
            DeValue::Integer(number) => printable(number.as_str()),
            DeValue::Float(number) => printable(number.as_str()),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        let what = format!("`{}`{} must be {wanted}, not {found}", printable(key), self.place());
        self.document.wrong(&what, Some(value.span()), format!("write {wanted}"))
    }

    fn span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get(key).map(Spanned::span)
    }

    /// ` in [providers.x]`, or nothing at the top.
    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" in [{}]", printable(&self.path.join("."))) }
    }

    /// The file and the whole key, such as `llmp.toml: providers.x.model`.
    fn label(&self, key: &str) -> String {
        let whole: Vec<_> = self.path.iter().map(String::as_str).chain([key]).collect();
        format!("{}: {}", self.document.name, printable(&whole.join(".")))
    }
}

impl Document {
    /// A path as this file writes it.
    pub(super) fn resolve(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), &self.home) {
            (Some(below), Some(home)) => home.join(below),
            _ => self.directory.join(text),
        }
    }
}

impl Section<'_> {
    /// [`Document::resolve`] of the document this is a part of.
    pub(super) fn resolve(&self, text: &str) -> PathBuf {
        self.document.resolve(text)
    }
}
