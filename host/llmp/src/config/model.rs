//! Names of models as they are written for GitHub.

use super::From;
use crate::failure::Failure;

/// Routers that know many providers write one of these before the name of a Copilot model.
const PREFIXES: [&str; 6] = ["github-", "github/", "gh-", "gh/", "ghcp-", "ghcp/"];

/// Whether a name says by itself that it is a Copilot model: it has one of the prefixes, or is the alias.
pub(super) fn is_for_github(model: &str) -> bool {
    model == "github" || PREFIXES.iter().any(|prefix| model.starts_with(prefix))
}

/// Whether what stands before the slash of a model's name means GitHub.
pub(super) fn names_github(before_slash: &str) -> bool {
    PREFIXES.iter().any(|prefix| prefix.strip_suffix('/') == Some(before_slash))
}

/// The name as Copilot knows it: exactly one prefix is taken off, and `github` alone means `gpt-5`.
pub(super) fn for_github(model: From<String>) -> Result<From<String>, Failure> {
    let From { value, from } = model;
    if value == "github" {
        return Ok(From { value: "gpt-5".to_owned(), from });
    }
    match PREFIXES.iter().find_map(|prefix| value.strip_prefix(prefix)) {
        Some("") => Err(Failure::usage(
            format!("the model `{value}` of {from} is a prefix without a name"),
            format!("write `{value}` and a model's name after it, such as `{value}gpt-5`"),
        )),
        Some(name) => Ok(From { value: name.to_owned(), from }),
        None => Ok(From { value, from }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        for_github(From { value: text.to_owned(), from: "--model".into() }).unwrap().value
    }

    #[test]
    fn s03_exactly_one_prefix_is_taken_off() {
        for prefix in PREFIXES {
            assert_eq!(name(&format!("{prefix}gpt-5")), "gpt-5");
        }
        for (text, expected) in [
            ("gpt-5", "gpt-5"),
            ("claude-sonnet-4.5", "claude-sonnet-4.5"),
            ("github-github-x", "github-x"),
            ("github/gh/x", "gh/x"),
            ("gh-ghcp/x", "ghcp/x"),
            ("ghx", "ghx"),
            ("githubgpt", "githubgpt"),
            ("GitHub-gpt-5", "GitHub-gpt-5"),
            ("openai/github-x", "openai/github-x"),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }

    #[test]
    fn s02_github_alone_is_an_alias() {
        assert_eq!(name("github"), "gpt-5");
        assert_eq!(name("github-github"), "github", "one step, not two");
    }

    #[test]
    fn a_prefix_alone_is_refused() {
        let failure = for_github(From { value: "gh/".into(), from: "LLMP_MODEL".into() }).unwrap_err();
        assert!(failure.message.contains("`gh/` of LLMP_MODEL"), "{}", failure.message);
    }
}
