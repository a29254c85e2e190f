//! What a policy file may say of an entry of the catalogue.

use super::cli_environment::Network;
use super::isolation::Isolation;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// The options of a sidecar in a policy file, as its entry reads them.
#[derive(Clone, Debug, Default)]
pub struct SidecarOptions(pub(crate) toml::Table);

impl SidecarOptions {
    /// The options as a type of the entry's own, which should refuse unknown fields.
    ///
    /// # Errors
    /// What does not fit, in one line.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, String> {
        self.0.try_into().map_err(|error: toml::de::Error| crate::error::one_line(error.message()))
    }

    /// For entries without options.
    ///
    /// # Errors
    /// There are some.
    pub fn none(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("it has no option `{}`", name.escape_debug())),
        }
    }
}

/// Those of the Copilot CLI. Which program, what it may read and further variables are the embedder's to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CliOptions {
    isolation: Option<Isolation>,
    proxy: Option<String>,
    no_proxy: Option<String>,
    ca_bundle: Option<PathBuf>,
    github_host: Option<String>,
    api_url: Option<String>,
}

impl CliOptions {
    /// Changes what it says. Isolation only becomes stricter.
    pub(super) fn apply(self, network: &mut Network, isolation: &mut Isolation) {
        let Self { isolation: wanted, proxy, no_proxy, ca_bundle, github_host, api_url } = self;
        *isolation = (*isolation).max(wanted.unwrap_or_default());
        let texts = [
            (&mut network.proxy, proxy),
            (&mut network.no_proxy, no_proxy),
            (&mut network.github_host, github_host),
            (&mut network.api_url, api_url),
        ];
        for (value, given) in texts {
            *value = given.or(value.take());
        }
        network.ca_bundle = ca_bundle.or(network.ca_bundle.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> SidecarOptions {
        SidecarOptions(text.parse().expect("a table"))
    }

    #[test]
    fn what_is_not_said_stays_and_isolation_only_becomes_stricter() {
        let mut network = Network { proxy: Some("http://one".into()), api_url: Some("u".into()), ..Network::default() };
        let mut isolation = Isolation::WherePossible;
        let said = options("isolation = 'never'\nproxy = 'http://two'\nca-bundle = '/ca.pem'");
        said.read::<CliOptions>().expect("sound").apply(&mut network, &mut isolation);
        assert_eq!((network.proxy.as_deref(), network.api_url.as_deref()), (Some("http://two"), Some("u")));
        assert_eq!((network.ca_bundle, isolation), (Some("/ca.pem".into()), Isolation::WherePossible));
        let said = options("isolation = 'required'").read::<CliOptions>().expect("sound");
        said.apply(&mut Network::default(), &mut isolation);
        assert_eq!(isolation, Isolation::Required);
    }

    #[test]
    fn an_entry_without_options_refuses_any() {
        options("").none().expect("none");
        assert_eq!(options("x = 1").none().expect_err("one"), "it has no option `x`");
    }
}
