//! The GitHub token: where it is.

use super::secrets::{GITHUB_TOKENS, SecretPlace};
use super::{Environment, From, Report};
use crate::failure::Failure;

/// What to do about a place where nothing is.
const ABSENT: &str = "set or write it, or correct the key";

/// The place of the token; nothing when there is none anywhere.
pub(super) fn token_place(
    in_file: Option<&From<SecretPlace>>,
    env: &Environment,
    report: &mut Report,
) -> Result<Option<From<SecretPlace>>, Failure> {
    let variables = GITHUB_TOKENS.iter().filter(|name| env.has(name));
    let mut offers: Vec<_> = variables
        .map(|name| Some(From { value: SecretPlace::Variable((*name).to_owned()), from: (*name).to_owned() }))
        .collect();
    if let Some(place) = in_file {
        if place.value.is_there(env) {
            offers.push(Some(place.clone()));
        } else {
            report.problem(format!("{} names {}, which is not there", place.from, place.value.name()), ABSENT);
        }
    }
    Ok(report.choose("GitHub token", offers))
}

/// There is no token although GitHub is to answer; perhaps the file names a place of one.
pub(super) fn no_token(in_file: Option<&From<SecretPlace>>) -> Failure {
    if let Some(place) = in_file {
        let message = format!(
            "{} names {}, which is not there, and no variable holds a GitHub token",
            place.from,
            place.value.name()
        );
        return Failure::usage(message, ABSENT);
    }
    Failure::usage(
        format!("the provider github needs a token, and none of {} is set", GITHUB_TOKENS.join(", ")),
        "set COPILOT_GITHUB_TOKEN to a fine-grained token with the permission 'Copilot Requests', or to the output of \
         `gh auth token`",
    )
}
