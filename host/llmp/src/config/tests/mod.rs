//! Tests of the whole way from flags, variables and a file to values.

mod keys;
mod precedence;
mod prefixes;
mod providers;
mod routing;
pub(crate) mod scratch;
mod secrets;
mod services;
mod surroundings;
mod tools;

use super::{Environment, Flags, Report, Resolved, resolve};
use crate::failure::Failure;
use scratch::Scratch;

/// A machine: variables, and `llmp.toml` in the working directory.
pub(super) fn on(flags: &Flags, variables: &[(&str, &str)], toml: &str) -> Result<(Resolved, Report), Failure> {
    let scratch = Scratch::new();
    if !toml.is_empty() {
        scratch.write("work/llmp.toml", toml);
    }
    in_scratch(&scratch, flags, variables)
}

/// The same, with files of one's own.
pub(super) fn in_scratch(
    scratch: &Scratch,
    flags: &Flags,
    variables: &[(&str, &str)],
) -> Result<(Resolved, Report), Failure> {
    let home = scratch.path("home").display().to_string();
    let mut all = vec![("HOME".to_owned(), home)];
    all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    resolve(flags, &Environment::of(all), &scratch.path("work"))
}

/// Without flags, and it must work.
pub(super) fn fine(variables: &[(&str, &str)], toml: &str) -> (Resolved, Report) {
    on(&Flags::default(), variables, toml).unwrap_or_else(|failure| panic!("{} / {:?}", failure.message, failure.hint))
}

/// Without flags, and it must fail: message and hint.
pub(super) fn failing(variables: &[(&str, &str)], toml: &str) -> (String, String) {
    let failure = on(&Flags::default(), variables, toml).err().expect("it must be refused");
    (failure.message, failure.hint.unwrap_or_default())
}
