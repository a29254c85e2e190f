//! Failures of a provider, told in the names of the person's configuration: a plugin knows only its own.

use super::Failure;
use crate::config::{Endpoint, Provider, Resolved, Through, printable};
use llm_provider_host::TurnError;
use llm_provider_host::wit::errors::ErrorKind;

/// Who was asked, as far as it helps to mend a failure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// What to do about a key that is refused.
    key: Option<Key>,
    /// The address, and who named it.
    address: Option<String>,
}

/// What to do about a key that is refused.
#[derive(Clone, Debug)]
struct Key {
    hint: String,
    /// Whether the plugin's own hint speaks of its own configuration, which nobody has written.
    alone: bool,
}

impl Asked {
    /// The one who is asked. When others are asked next, nobody knows here who failed, and nothing is said.
    pub(crate) fn of(resolved: &Resolved) -> Self {
        let name = resolved.provider.value.name();
        if resolved.fallback.iter().any(|next| next.provider.value.name() != name) {
            return Self::default();
        }
        match &resolved.provider.value {
            Provider::Github { token } => Self {
                key: Some(Key { hint: format!("check the token in {}", token.from), alone: false }),
                address: None,
            },
            Provider::Endpoint(endpoint) => {
                let address = format!("{} ({})", endpoint.base_url.value, endpoint.base_url.from);
                let key = Key { hint: key_hint(endpoint), alone: endpoint.through == Through::Http };
                Self { key: Some(key), address: Some(address) }
            }
            Provider::Demo => Self::default(),
        }
    }

    /// The failure, with what to do about it.
    pub(crate) fn failure(&self, error: TurnError) -> Failure {
        let told = error.provider().map(|error| (error.kind, error.http_status));
        let mut failure = Failure::from(error);
        match (told, &self.key, &self.address) {
            (Some((ErrorKind::Authentication, _)), Some(key), _) => {
                let own = failure.hint.take().filter(|_| !key.alone).map(|own| format!("{own}; "));
                failure.hint = Some(own.unwrap_or_default() + &key.hint);
            }
            // Without a status nobody answered.
            (Some((ErrorKind::Transport | ErrorKind::Timeout, None)), _, Some(address)) => {
                let own = failure.hint.take().unwrap_or_else(|| "check the endpoint".to_owned());
                failure.hint = Some(format!("{own}: {address}"));
            }
            _ => {}
        }
        failure
    }
}

/// Where the secrets of an endpoint come from, or could come from.
fn key_hint(endpoint: &Endpoint) -> String {
    let table = format!("[providers.{}]", printable(&endpoint.name));
    match (&endpoint.token, &endpoint.api_key) {
        (Some(token), _) => format!("check the token in {}", token.from),
        (None, Some(key)) => format!("check the key in {}", key.from),
        (None, None) if !endpoint.headers.is_empty() => format!("check the headers in {table}"),
        (None, None) if endpoint.name == "environment" => {
            "it was asked without a key: set COPILOT_PROVIDER_API_KEY".to_owned()
        }
        (None, None) => format!("it was asked without a key: name its variable with `key-env` in {table}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::scratch::Scratch;
    use crate::config::{self, Environment, Flags};
    use llm_provider_host::wit::errors::{Error, ErrorScope, Verdict};

    fn asked(variables: &[(&str, &str)], toml: &str) -> Asked {
        let scratch = Scratch::new();
        scratch.write("work/llmp.toml", toml);
        let home = ("HOME".to_owned(), scratch.path("home").display().to_string());
        let given = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let env = Environment::of(given.chain([home]).collect::<Vec<_>>());
        let (resolved, _) = config::resolve(&Flags::default(), &env, &scratch.path("work")).expect("resolves");
        Asked::of(&resolved)
    }

    fn hint(asked: &Asked, kind: ErrorKind, http_status: Option<u16>, hint: Option<&str>) -> Option<String> {
        let error = Error {
            kind,
            message: "m".into(),
            hint: hint.map(str::to_owned),
            scope: ErrorScope::Request,
            http_status,
            provider_code: None,
            provider_request_id: None,
            retry_after: None,
            request_sent: false,
            output_seen: false,
            tools_ran: false,
            verdict: Verdict::Surface,
        };
        asked.failure(TurnError::from(error)).hint
    }

    #[test]
    fn a_refused_key_is_told_by_the_place_it_came_from() {
        let refused = |variables: &[(&str, &str)], toml: &str| {
            let own = Some("check the secret that `api-key` names");
            hint(&asked(variables, toml), ErrorKind::Authentication, Some(401), own).expect("a hint")
        };
        let openai = [("OPENAI_API_KEY", "k"), ("OPENAI_MODEL", "m")];
        assert_eq!(refused(&openai, ""), "check the key in OPENAI_API_KEY");
        let table = "model = \"m\"\n[providers.work]\nbase-url = \"https://h.example/v1\"\n";
        assert_eq!(refused(&[("WORK", "k")], &format!("{table}key-env = \"WORK\"\n")), "check the key in WORK");
        let none = "it was asked without a key: name its variable with `key-env` in [providers.work]";
        assert_eq!(refused(&[], table), none);
        let through = format!("{table}key-env = \"WORK\"\nthrough = \"copilot\"\n");
        let both = "check the secret that `api-key` names; check the key in WORK";
        assert_eq!(refused(&[("WORK", "k")], &through), both);
        let github = refused(&[("GH_TOKEN", "gho_x")], "");
        assert_eq!(github, "check the secret that `api-key` names; check the token in GH_TOKEN");
        let fallback = format!(
            "fallback = [\"other/x\"]\nprovider = \"work\"\n{table}[providers.other]\nbase-url = \"https://o.example/v1\"\n"
        );
        assert_eq!(refused(&[], &fallback), "check the secret that `api-key` names", "nobody knows whose");
    }

    #[test]
    fn an_endpoint_that_is_not_reached_is_told_by_its_address() {
        let openai = [("OPENAI_API_KEY", "k"), ("OPENAI_MODEL", "m"), ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")];
        let asked = asked(&openai, "");
        let hint = |status, own| hint(&asked, ErrorKind::Transport, status, own);
        assert_eq!(hint(None, Some("check it")).as_deref(), Some("check it: http://127.0.0.1:9/v1 (OPENAI_BASE_URL)"));
        let added = "check the endpoint: http://127.0.0.1:9/v1 (OPENAI_BASE_URL)";
        assert_eq!(hint(None, None).as_deref(), Some(added));
        assert_eq!(hint(Some(502), Some("wait")).as_deref(), Some("wait"), "somebody answered");
    }
}
