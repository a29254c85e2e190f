//! The variables the program was started with, as a value.

use super::From;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// Variables by name. Cheap to clone. It has no `Debug`: values may be secrets.
#[derive(Clone, Default)]
pub(crate) struct Environment(Arc<BTreeMap<String, OsString>>);

impl Environment {
    /// The variables of this process. The one place that reads them. Names that are not UTF-8 are none of ours.
    pub(crate) fn from_process() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self(Arc::new(std::env::vars_os().filter_map(named).collect()))
    }

    /// These variables and no others.
    #[cfg(test)]
    pub(crate) fn of<N: Into<String>, V: Into<OsString>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(Arc::new(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// The value of a variable without the white space around it; nothing when it is empty or not set.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        Ok(self.whole(name)?.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()))
    }

    /// [`Self::text`] with the variable as its origin.
    pub(crate) fn given(&self, name: &str) -> Result<Option<From<String>>, Failure> {
        Ok(self.text(name)?.map(|value| From { value, from: name.to_owned() }))
    }

    /// Each of these variables that is set, in this order.
    pub(crate) fn each(&self, names: &[&str]) -> Result<Vec<Option<From<String>>>, Failure> {
        names.iter().map(|name| self.given(name)).collect()
    }

    /// A variable that is a path: white space belongs to it.
    pub(crate) fn path(&self, name: &str) -> Result<Option<PathBuf>, Failure> {
        Ok(self.whole(name)?.map(PathBuf::from))
    }

    /// The home directory.
    pub(crate) fn home(&self) -> Result<Option<PathBuf>, Failure> {
        match self.path("HOME")? {
            Some(home) => Ok(Some(home)),
            None => self.path("USERPROFILE"),
        }
    }

    /// Whether a variable has a value, of whatever kind.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_empty())
    }

    /// A look-up for code that knows what to do without a value.
    pub(crate) fn lookup(&self, name: &str) -> Option<String> {
        self.0.get(name)?.to_str().map(str::to_owned)
    }

    fn whole(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(value) = self.0.get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        let text = value.to_str().ok_or_else(|| {
            Failure::usage(format!("the variable {name} is not UTF-8"), format!("set {name} again, or unset it"))
        })?;
        Ok(Some(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_blank_variables_are_absent() {
        let env = Environment::of([("EMPTY", ""), ("BLANK", " \n"), ("TEXT", " a b\n")]);
        assert_eq!(env.text("EMPTY").unwrap(), None);
        assert_eq!(env.text("BLANK").unwrap(), None);
        assert_eq!(env.text("NONE").unwrap(), None);
        assert_eq!(env.text("TEXT").unwrap().as_deref(), Some("a b"));
        assert_eq!(env.path("TEXT").unwrap(), Some(PathBuf::from(" a b\n")));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_an_error_that_names_the_variable() {
        use std::os::unix::ffi::OsStringExt;
        let env = Environment::of([("LLMP_MODEL", OsString::from_vec(vec![b'x', 0xff]))]);
        let failure = env.text("LLMP_MODEL").unwrap_err();
        assert_eq!(failure.message, "the variable LLMP_MODEL is not UTF-8");
        assert!(env.has("LLMP_MODEL") && env.lookup("LLMP_MODEL").is_none());
    }
}
