//! Services that are known by name: what their own tools call their variables, and where they are.

use super::secrets::SecretPlace;
use super::tables::EndpointTable;
use super::{EndpointKind, Environment, From, Report, Through};
use crate::failure::Failure;

/// A service.
pub(super) struct Service {
    /// Its name in `--provider` and before the slash of a model's name.
    pub(super) name: &'static str,
    kind: EndpointKind,
    /// Where it is; none for those that everybody has at another place.
    base_url: Option<&'static str>,
    /// Variables of another place.
    urls: &'static [&'static str],
    keys: &'static [&'static str],
    /// Variables of a token that goes out as a bearer's.
    tokens: &'static [&'static str],
    models: &'static [&'static str],
    versions: &'static [&'static str],
    /// Where below the place of a variable the interface is.
    below: &'static str,
    /// Whether its models have names of other services before them.
    pub(super) routes: bool,
}

/// A service of which nothing is known but its name.
const UNKNOWN: Service = Service {
    name: "",
    kind: EndpointKind::OpenAi,
    base_url: None,
    urls: &[],
    keys: &[],
    tokens: &[],
    models: &[],
    versions: &[],
    below: "",
    routes: false,
};

/// In the order in which they are asked when nobody chooses. The variables are those of the services' own client libraries
/// and tools.
pub(super) const SERVICES: [Service; 7] = [
    Service {
        name: "openai",
        base_url: Some("https://api.openai.com/v1"),
        urls: &["OPENAI_BASE_URL"],
        keys: &["OPENAI_API_KEY"],
        models: &["OPENAI_MODEL"],
        ..UNKNOWN
    },
    Service {
        name: "anthropic",
        kind: EndpointKind::Anthropic,
        base_url: Some("https://api.anthropic.com"),
        urls: &["ANTHROPIC_BASE_URL"],
        keys: &["ANTHROPIC_API_KEY"],
        tokens: &["ANTHROPIC_AUTH_TOKEN"],
        models: &["ANTHROPIC_MODEL"],
        ..UNKNOWN
    },
    Service {
        name: "azure",
        kind: EndpointKind::Azure,
        urls: &["AZURE_OPENAI_ENDPOINT"],
        keys: &["AZURE_OPENAI_API_KEY"],
        models: &["AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_DEPLOYMENT_NAME"],
        versions: &["AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"],
        ..UNKNOWN
    },
    Service {
        name: "gemini",
        kind: EndpointKind::Gemini,
        base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
        urls: &["GEMINI_BASE_URL"],
        keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        models: &["GEMINI_MODEL"],
        ..UNKNOWN
    },
    Service {
        name: "openrouter",
        base_url: Some("https://openrouter.ai/api/v1"),
        keys: &["OPENROUTER_API_KEY"],
        models: &["OPENROUTER_MODEL"],
        routes: true,
        ..UNKNOWN
    },
    Service {
        name: "xai",
        base_url: Some("https://api.x.ai/v1"),
        keys: &["XAI_API_KEY"],
        models: &["XAI_MODEL"],
        ..UNKNOWN
    },
    Service { name: "ollama", urls: &["OLLAMA_HOST"], models: &["OLLAMA_MODEL"], below: "/v1", ..UNKNOWN },
];

/// The service of a name.
pub(super) fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The first of these variables that is set.
fn first(names: &[&str], env: &Environment) -> Result<Option<From<String>>, Failure> {
    Ok(env.each(names)?.into_iter().flatten().next())
}

/// The first of these variables that is set, as the place of a secret.
fn place(names: &[&str], env: &Environment) -> Option<From<SecretPlace>> {
    let name = names.iter().find(|name| env.has(name))?;
    Some(From { value: SecretPlace::Variable((*name).to_owned()), from: (*name).to_owned() })
}

impl Service {
    /// The variables of its model, the first that is set wins.
    pub(super) fn model_variables(&self) -> &'static [&'static str] {
        self.models
    }

    /// What to set to have it.
    pub(super) fn wants(&self) -> &'static str {
        self.keys.first().or(self.urls.first()).copied().unwrap_or_default()
    }

    /// What the variables say of it; nothing when they do not say that somebody has it.
    pub(super) fn described(&self, env: &Environment, report: &mut Report) -> Result<Option<EndpointTable>, Failure> {
        let (key, token) = (place(self.keys, env), place(self.tokens, env));
        let asked = self.asked_address(env)?;
        let is_there = key.is_some() || token.is_some() || (asked.is_some() && self.has_no_key());
        if !is_there {
            if let Some(url) = asked {
                report.note(format!("{} is set and {} is not: {} is not used", url.from, self.wants(), self.name));
            }
            return Ok(None);
        }
        let mut table = EndpointTable::default();
        self.complete(&mut table, env, report)?;
        Ok(Some(table))
    }

    /// Fills what a table of its name leaves out: from the variables, then from what is known of the service.
    pub(super) fn complete(
        &self,
        table: &mut EndpointTable,
        env: &Environment,
        report: &mut Report,
    ) -> Result<(), Failure> {
        if table.base_url.is_none() {
            table.base_url = self.asked_address(env)?.or_else(|| self.base_url.map(|url| self.own(url.to_owned())));
        }
        if table.model.is_none() {
            table.model = first(self.models, env)?;
        }
        let kind = table.kind.get_or_insert_with(|| self.own(self.kind)).value;
        // The variables' version is one of the service's own dialect.
        if table.api_version.is_none() && kind == self.kind {
            table.api_version = first(self.versions, env)?;
        }
        // Who names one secret in the file means that one: a variable's would go out beside it, or in its place.
        if table.key.is_none() && table.token.is_none() && table.secret_headers.is_empty() {
            table.key = place(self.keys, env);
            table.token = self.token(table, env, report);
        }
        Ok(())
    }

    /// A token has no place on the way through the Copilot CLI. Where there is no key beside it, that is told.
    fn token(&self, table: &EndpointTable, env: &Environment, report: &mut Report) -> Option<From<SecretPlace>> {
        let token = place(self.tokens, env)?;
        let Some(through) = table.through.as_ref().filter(|through| through.value == Through::Copilot) else {
            return Some(token);
        };
        if table.key.is_none() {
            report.note(format!("{} has no place on the way of {}, and is not used", token.from, through.from));
        }
        None
    }

    /// Where a variable says that it is.
    fn asked_address(&self, env: &Environment) -> Result<Option<From<String>>, Failure> {
        Ok(first(self.urls, env)?.map(|url| From { value: self.address(&url.value), from: url.from }))
    }

    fn has_no_key(&self) -> bool {
        self.keys.is_empty() && self.tokens.is_empty()
    }

    fn own<T>(&self, value: T) -> From<T> {
        From { value, from: format!("the service {}", self.name) }
    }

    /// The address as the variable means it: some tools write a host alone.
    fn address(&self, text: &str) -> String {
        let text = text.trim_end_matches('/');
        if self.below.is_empty() {
            return text.to_owned();
        }
        if text.contains("://") {
            return format!("{text}{}", self.below);
        }
        // What a server listens at is no address of a client: all interfaces are reached by this one.
        let rest = text.strip_prefix("0.0.0.0").unwrap_or(text);
        let host = if rest.is_empty() || rest.starts_with(':') { format!("127.0.0.1{rest}") } else { rest.to_owned() };
        let port = if host.contains(':') { "" } else { ":11434" };
        format!("http://{host}{port}{}", self.below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ollamas_host_is_written_in_many_ways() {
        let ollama = service("ollama").unwrap();
        for (text, address) in [
            ("127.0.0.1", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
            (":11434", "http://127.0.0.1:11434/v1"),
            ("http://gpu.example:11434/", "http://gpu.example:11434/v1"),
            ("https://gpu.example", "https://gpu.example/v1"),
            ("gpu.example", "http://gpu.example:11434/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ] {
            assert_eq!(ollama.address(text), address, "{text}");
        }
    }

    #[test]
    fn a_place_without_its_key_is_told_and_not_used() {
        let mut report = Report::default();
        let env = Environment::of([("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]);
        assert!(service("openai").unwrap().described(&env, &mut report).unwrap().is_none());
        assert_eq!(report.notes, ["OPENAI_BASE_URL is set and OPENAI_API_KEY is not: openai is not used"]);
    }
}
