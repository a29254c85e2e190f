//! Where secrets are, and what keeps a GitHub token away from endpoints and an endpoint's key away from GitHub.

use super::{Environment, From};
use crate::failure::Failure;
use llm_provider_host::Secret;
use std::io::Read;
use std::path::PathBuf;

/// The variables of a GitHub token, the first that is set wins.
pub(super) const GITHUB_TOKENS: [&str; 3] = ["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"];

/// The variable of an endpoint's key, for endpoints that variables describe.
pub(super) const ENDPOINT_KEY: &str = "COPILOT_PROVIDER_API_KEY";

/// What GitHub's tokens begin with: <https://github.blog/engineering/behind-githubs-new-authentication-token-formats/>.
const GITHUB_PREFIXES: [&str; 6] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"];

/// Largest file of a secret: 64 KiB. The longest secrets are signed tokens of some KiB.
const MAX_FILE: u64 = 64 << 10;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretPlace {
    Variable(String),
    File(PathBuf),
}

impl SecretPlace {
    /// The name of the place.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Variable(name) => name.clone(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The value, without the white space around it; nothing when it is empty or not there.
    fn read(&self, env: &Environment) -> Result<Option<String>, Failure> {
        match self {
            Self::Variable(name) => env.text(name),
            Self::File(path) => {
                let unreadable = |error: std::io::Error| {
                    let message = format!("the secret's file {} cannot be read: {error}", path.display());
                    Failure::usage(message, "make the file readable, or name another one")
                };
                let mut text = String::new();
                let file = std::fs::File::open(path).map_err(unreadable)?;
                file.take(MAX_FILE).read_to_string(&mut text).map_err(unreadable)?;
                Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
            }
        }
    }

    /// Whether there is something to read, as far as can be told without reading.
    pub(super) fn is_there(&self, env: &Environment) -> bool {
        match self {
            Self::Variable(name) => env.has(name),
            Self::File(path) => path.exists(),
        }
    }
}

/// Takes the GitHub token.
pub(super) fn github_token(place: &From<SecretPlace>, env: &Environment) -> Result<From<Secret>, Failure> {
    let name = place.value.name();
    if name == ENDPOINT_KEY {
        return Err(Failure::usage(
            format!("{} names {ENDPOINT_KEY}, which is an endpoint's key and never goes to GitHub", place.from),
            "name the variable of a GitHub token",
        ));
    }
    let value = required(place, env)?;
    if value.starts_with("ghp_") {
        return Err(Failure::usage(
            format!("{name} holds a classic personal access token (ghp_), and those have no Copilot permission"),
            "create a fine-grained token with the permission 'Copilot Requests', or use the output of `gh auth token`",
        ));
    }
    if value.starts_with("sk-") {
        return Err(Failure::usage(
            format!("{name} holds an endpoint's key (sk-), which is never sent to GitHub"),
            format!("put it into {ENDPOINT_KEY}, and a GitHub token into {name}"),
        ));
    }
    whole_line(&value, &name)?;
    Ok(From { value: Secret::new(value), from: name })
}

/// Takes a secret that may be anything: that of a tool's server, or a connection token.
pub(super) fn any_secret(place: &From<SecretPlace>, env: &Environment) -> Result<From<Secret>, Failure> {
    let name = place.value.name();
    let value = required(place, env)?;
    whole_line(&value, &name)?;
    Ok(From { value: Secret::new(value), from: name })
}

/// Takes a key or a secret header of an endpoint. GitHub's tokens are refused by name, by look and by value.
pub(super) fn endpoint_secret(place: &From<SecretPlace>, env: &Environment) -> Result<From<Secret>, Failure> {
    let name = place.value.name();
    let refused = |why: &str| {
        Failure::usage(
            format!("{} names {name}, {why}, and a GitHub token is never sent to an endpoint", place.from),
            "name the endpoint's own key",
        )
    };
    if GITHUB_TOKENS.contains(&name.as_str()) {
        return Err(refused("a variable of GitHub tokens"));
    }
    let value = required(place, env)?;
    if looks_like_github_token(&value) {
        return Err(refused("which holds a GitHub token"));
    }
    for variable in GITHUB_TOKENS {
        if env.lookup(variable).is_some_and(|token| !token.trim().is_empty() && value.contains(token.trim())) {
            return Err(refused(&format!("which holds the value of {variable}")));
        }
    }
    whole_line(&value, &name)?;
    Ok(From { value: Secret::new(value), from: name })
}

/// Whether a word of a text looks like a GitHub token: a header may have `Bearer` before it.
pub(super) fn looks_like_github_token(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| GITHUB_PREFIXES.iter().any(|prefix| word.starts_with(prefix) && word.len() > prefix.len()))
}

fn required(place: &From<SecretPlace>, env: &Environment) -> Result<String, Failure> {
    place.value.read(env)?.ok_or_else(|| match &place.value {
        SecretPlace::Variable(name) => Failure::usage(
            format!("{} names the variable {name}, which is not set", place.from),
            format!("set {name}, or name another variable"),
        ),
        SecretPlace::File(path) => Failure::usage(
            format!("the secret's file {}, named by {}, is empty", path.display(), place.from),
            "write the secret into it, or name another file",
        ),
    })
}

/// A line break would end a header, and means that more than the secret was copied.
fn whole_line(value: &str, name: &str) -> Result<(), Failure> {
    if value.contains(|c: char| c.is_control()) {
        return Err(Failure::usage(
            format!("{name} holds more than one line, or control characters"),
            "leave nothing but the secret itself in it",
        ));
    }
    Ok(())
}
