//! Failures before the first word: the CLI then writes plain text to its standard error and no JSON, so only the text
//! tells (PROTOCOL section 6, and runs of 1.0.102).

use crate::failure::{self, Failure};
use llm_provider_core::classify::Fault;
use llm_provider_guest::sidecar_types::Exit;

/// Texts as the CLI writes them, what each means, and what to do.
const TEXTS: [(&str, Fault, &str); 11] = [
    // First: the CLI says below it that the token could not be validated, and that it may still be valid.
    ("network fetch failed", Fault::Transport, "check that this machine reaches GitHub; the token may still be valid"),
    ("No authentication information found", Fault::Unauthenticated, "grant a GitHub token to the plugin"),
    (
        "Authentication token found but could not be validated",
        Fault::Unauthenticated,
        "check the token, and that this machine reaches GitHub",
    ),
    ("BYOK providers require an explicit model", Fault::Invalid, "name a model"),
    ("Offline mode requires a local model provider", Fault::Invalid, "name the endpoint's address"),
    ("No prompt provided", Fault::Invalid, "ask something"),
    ("No session or task matched", Fault::SessionLost, "ask again: a new session gets the conversation"),
    ("error: invalid value", Fault::Version, "use the version of the CLI that this plugin was made for"),
    ("error: unexpected argument", Fault::Version, "use the version of the CLI that this plugin was made for"),
    ("error: Invalid command format", Fault::Version, "use the version of the CLI that this plugin was made for"),
    ("Failed to extract bundled package", Fault::SidecarStart, "make room where the CLI unpacks itself"),
];

/// What a process died of that said nothing on its standard output. A start that fails for a reason unknown fails again;
/// a signal may be an accident.
pub(super) fn failure(exit: &Exit) -> Failure {
    let known = TEXTS.iter().find(|(text, ..)| exit.stderr_tail.contains(text));
    let (fault, hint) = match known {
        Some((_, fault, hint)) => (*fault, Some((*hint).to_owned())),
        None if exit.code.is_some() => (Fault::SidecarStart, None),
        None => (Fault::SidecarExit, None),
    };
    Failure::of(fault, failure::exit(exit)).with_hint(hint)
}
