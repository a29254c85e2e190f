//! Whether a sidecar's process has a network.

use llm_provider_process::{NetworkAccess, network_isolation};
use serde::Deserialize;

/// Whether a sidecar's process is started without a network: in a network namespace of its own, where it reaches no
/// machine and no port, this machine's own included, and speaks over its pipes only. Its children are there too.
///
/// The default is [`Isolation::Never`]. An entry of the catalogue does not know what a plugin will have its program do:
/// one that signs in at GitHub, or sends its requests itself, fails without a network. Whoever configures the plugin so
/// that the host sends all requests (`egress: host`), and switches on none of the program's own tools that want a
/// network, knows that it needs none and says so here. Each is stricter than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// It reaches what the host reaches.
    #[default]
    Never,
    /// It has no network where the system allows that
    /// ([`network_isolation`](llm_provider_process::network_isolation)), and that of the host elsewhere, with a line in
    /// the log.
    WherePossible,
    /// It has no network. Where the system does not allow that, it is not started, and a turn fails and says why.
    Required,
}

impl Isolation {
    /// What a process that is started now is given.
    pub(super) fn access(self) -> NetworkAccess {
        match self {
            Self::Never => NetworkAccess::Owners,
            Self::Required => NetworkAccess::None,
            Self::WherePossible => match network_isolation() {
                Ok(()) => NetworkAccess::None,
                Err(reason) => {
                    tracing::warn!(%reason, "a sidecar that needs no network is started with one");
                    NetworkAccess::Owners
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_possible_depends_on_the_system() {
        assert_eq!(Isolation::default().access(), NetworkAccess::Owners);
        assert_eq!(Isolation::Required.access(), NetworkAccess::None, "it fails rather than have one");
        let possible = network_isolation().is_ok();
        assert_eq!(Isolation::WherePossible.access() == NetworkAccess::None, possible);
    }
}
