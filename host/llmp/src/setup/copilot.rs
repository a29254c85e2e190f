//! The Copilot plugin: its configuration, its sidecar, and what is granted for them.

use super::{Answerer, Foundation, Grants};
use crate::artefact_request;
use crate::config::{Endpoint, EndpointKind, From as Given, HeaderValue, Provider, Resolved, WireApi};
use crate::egress::{self, Way};
use crate::failure::Failure;
use crate::progress;
use llm_provider_host::artefact::Request;
use llm_provider_host::{Attach, CopilotCli, CopilotOneShot, Destination, Secret, SecretGrant};
use llmp_model_server::{ModelServer, Script};
use serde_json::{Map, Value, json};

/// How the plugin uses the Copilot CLI, and where a secret goes in that mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// One for all turns.
    Server,
    /// One for each turn, as old set-ups want it.
    OneShot,
}

impl Mode {
    /// The catalogue's entry.
    fn sidecar(self) -> String {
        match self {
            Self::Server => "copilot-cli".to_owned(),
            Self::OneShot => "copilot-cli-oneshot".to_owned(),
        }
    }

    /// Where the CLI takes a GitHub token from.
    fn token(self) -> Destination {
        let variable = match self {
            Self::Server => "COPILOT_SDK_AUTH_TOKEN",
            Self::OneShot => "COPILOT_GITHUB_TOKEN",
        };
        Destination::SidecarVariable { sidecar: self.sidecar(), variable: variable.to_owned() }
    }

    /// Where it takes an endpoint's key from.
    fn key(self) -> Destination {
        match self {
            Self::Server => Destination::SidecarInput { sidecar: self.sidecar() },
            Self::OneShot => Destination::SidecarVariable {
                sidecar: self.sidecar(),
                variable: "COPILOT_PROVIDER_API_KEY".to_owned(),
            },
        }
    }
}

/// Makes the instance. The CLI's program is fetched first when it is `needed` at once.
pub(super) async fn answerer(
    foundation: &Foundation<'_>,
    resolved: &Resolved,
    needed: bool,
) -> Result<Answerer, Failure> {
    let plugin = foundation.load(super::embedded(resolved)).await?;
    let artefact = foundation.surroundings.artefact(resolved)?;
    let mode = if resolved.legacy { Mode::OneShot } else { Mode::Server };
    let own_cli = resolved.attach.is_none() || resolved.legacy;
    if needed && own_cli && plugin.inspection().description.sidecars.contains(&mode.sidecar()) {
        fetch(&artefact).await?;
    }
    let demo = match &resolved.provider.value {
        Provider::Demo => Some(start_demo().await?),
        Provider::Github { .. } | Provider::Endpoint(_) => None,
    };
    let way = Way::of(resolved);
    let (auth, mut secrets) = auth(&resolved.provider.value, demo.as_ref(), mode, way);
    let token = resolved.attach.as_ref().and_then(|attach| attach.token.clone());
    let token = token.map(|value| SecretGrant { value, destinations: vec![mode.key()] });
    secrets.extend(token.map(|grant| ("connection-token".to_owned(), grant)));
    let sidecar = sidecar(resolved, artefact);
    let policy = foundation.policy(resolved, secrets);
    let policy = match auth.get("base-url").and_then(Value::as_str).filter(|_| way != Way::Direct) {
        Some(url) => policy.egress(egress::open(url, &resolved.sidecar.network)?),
        None => policy,
    };
    let policy = match mode {
        Mode::Server => policy.sidecar(sidecar),
        Mode::OneShot => policy.sidecar(CopilotOneShot { cli: sidecar }),
    };
    let instance = foundation.host.tenant(policy).instance(&plugin, config(resolved, auth, mode, way))?;
    Ok(Answerer { instance, max_output_tokens: None, _demo: demo })
}

fn sidecar(resolved: &Resolved, artefact: Request) -> CopilotCli {
    let mut sidecar = CopilotCli::new(artefact);
    sidecar.network = resolved.sidecar.network.clone();
    sidecar.variables = resolved.sidecar.variables.clone();
    sidecar.unpack_dir = Some(resolved.cache_dir.value.join("copilot-cli-unpacked"));
    sidecar.isolation = egress::isolation(resolved);
    sidecar.attach = resolved
        .attach
        .as_ref()
        .map(|attach| Attach { address: attach.address, working_directory: attach.working_dir.clone() });
    sidecar
}

/// Has the sidecar's program ready before anything is asked: what is wrong with its path, the network or the cache is a
/// matter of configuration, and is told as one.
async fn fetch(artefact: &Request) -> Result<(), Failure> {
    let on_progress = progress::on_stderr();
    let obtained = llm_provider_host::artefact::obtain(artefact, &move |progress| on_progress(progress)).await;
    obtained.map(drop).map_err(artefact_request::unusable)
}

async fn start_demo() -> Result<ModelServer, Failure> {
    ModelServer::start(Script::demo()).await.map_err(|error| {
        Failure::usage(format!("cannot start the built-in demo model: {error}"), "allow connections on loopback")
    })
}

/// The plugin's configuration.
fn config(resolved: &Resolved, auth: Value, mode: Mode, way: Way) -> String {
    let mut config = Map::from_iter([("auth".to_owned(), auth)]);
    let endpoint = !matches!(resolved.provider.value, Provider::Github { .. });
    config.extend(way.name().filter(|_| endpoint).map(|name| ("egress".to_owned(), name.into())));
    if mode == Mode::OneShot {
        config.insert("mode".into(), "one-shot".into());
    }
    if resolved.attach.as_ref().is_some_and(|attach| attach.token.is_some()) {
        config.insert("connection-token".into(), json!({ "secret": "connection-token" }));
    }
    if let Provider::Demo = &resolved.provider.value {
        config.insert("model".into(), "demo".into());
    }
    Value::from(config).to_string()
}

/// How the plugin authenticates, and the secrets it names in doing so, each bound to its one destination.
fn auth(provider: &Provider, demo: Option<&ModelServer>, mode: Mode, way: Way) -> (Value, Grants) {
    match provider {
        Provider::Github { token } => github(token, mode),
        Provider::Endpoint(endpoint) => byok(endpoint, mode, way),
        Provider::Demo => {
            let url = demo.map(ModelServer::openai_base_url).unwrap_or_default();
            (json!({ "type": "byok", "provider": "openai", "base-url": url }), Grants::new())
        }
    }
}

fn github(token: &Given<Secret>, mode: Mode) -> (Value, Grants) {
    let grant = SecretGrant { value: token.value.clone(), destinations: vec![mode.token()] };
    (json!({ "type": "github", "token": "github-token" }), Grants::from([("github-token".into(), grant)]))
}

fn byok(endpoint: &Endpoint, mode: Mode, way: Way) -> (Value, Grants) {
    let mut grants = Grants::new();
    let mut grant = |name: &str, value: &Secret, header: &str| {
        let destinations = way.destinations(&endpoint.base_url.value, header, mode.key());
        grants.insert(name.to_owned(), SecretGrant { value: value.clone(), destinations });
        json!({ "secret": name })
    };
    let mut fields = Map::new();
    fields.insert("type".into(), "byok".into());
    fields.insert("provider".into(), kind_name(endpoint.kind.value).into());
    fields.insert("base-url".into(), endpoint.base_url.value.clone().into());
    if let Some(key) = &endpoint.api_key {
        fields.insert("api-key".into(), grant("api-key", &key.value, egress::key_header(endpoint.kind.value)));
    }
    let headers: Map<String, Value> = endpoint
        .headers
        .iter()
        .map(|(name, value)| match value {
            HeaderValue::Plain(text) => (name.clone(), text.clone().into()),
            HeaderValue::Secret(secret) => (name.clone(), grant(&format!("header:{name}"), secret, name)),
        })
        .collect();
    if !headers.is_empty() {
        fields.insert("headers".into(), headers.into());
    }
    let optional = [
        ("wire-api", endpoint.wire_api.map(|wire| wire_name(wire).into())),
        ("api-version", endpoint.api_version.clone().map(Value::from)),
        ("max-prompt-tokens", endpoint.max_prompt_tokens.map(Value::from)),
        ("max-output-tokens", endpoint.max_output_tokens.map(Value::from)),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    (fields.into(), grants)
}

fn kind_name(kind: EndpointKind) -> &'static str {
    match kind {
        EndpointKind::OpenAi => "openai",
        EndpointKind::Azure => "azure",
        EndpointKind::Anthropic => "anthropic",
        // The configuration refuses it on this way, and the plugin would too.
        EndpointKind::Gemini => "gemini",
    }
}

fn wire_name(wire: WireApi) -> &'static str {
    match wire {
        WireApi::Completions => "completions",
        WireApi::Responses => "responses",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Through;
    use std::collections::BTreeMap;

    fn given<T>(value: T) -> Given<T> {
        Given { value, from: "test".into() }
    }

    #[test]
    fn b08_a_github_token_goes_only_into_the_sidecars_environment() {
        for (mode, sidecar, variable) in [
            (Mode::Server, "copilot-cli", "COPILOT_SDK_AUTH_TOKEN"),
            (Mode::OneShot, "copilot-cli-oneshot", "COPILOT_GITHUB_TOKEN"),
        ] {
            let (auth, grants) =
                auth(&Provider::Github { token: given(Secret::new("gho_x")) }, None, mode, Way::Direct);
            assert_eq!(auth, json!({ "type": "github", "token": "github-token" }));
            let to = Destination::SidecarVariable { sidecar: sidecar.into(), variable: variable.into() };
            assert_eq!(grants["github-token"].destinations, [to]);
            assert_eq!(grants.len(), 1);
        }
    }

    #[test]
    fn an_endpoints_key_goes_only_to_who_sends_it() {
        let endpoint = Endpoint {
            name: "x".into(),
            kind: given(EndpointKind::Anthropic),
            base_url: given("http://127.0.0.1:1".into()),
            wire_api: Some(WireApi::Responses),
            api_version: None,
            headers: BTreeMap::from([
                ("a".into(), HeaderValue::Plain("b".into())),
                ("c".into(), HeaderValue::Secret(Secret::new("d"))),
            ]),
            api_key: Some(given(Secret::new("k"))),
            token: None,
            through: Through::Copilot,
            max_prompt_tokens: None,
            max_output_tokens: Some(5),
            egress: None,
        };
        let (auth, grants) = byok(&endpoint, Mode::Server, Way::Direct);
        let expected = json!({
            "type": "byok", "provider": "anthropic", "base-url": "http://127.0.0.1:1", "wire-api": "responses",
            "api-key": { "secret": "api-key" }, "headers": { "a": "b", "c": { "secret": "header:c" } },
            "max-output-tokens": 5,
        });
        assert_eq!(auth, expected);
        let input = [Destination::SidecarInput { sidecar: "copilot-cli".into() }];
        assert!(grants.len() == 2 && grants.values().all(|grant| grant.destinations == input));
        let header =
            |header: &str| [Destination::HttpHeader { origin: "http://127.0.0.1:1".into(), header: header.into() }];
        let (same, grants) = byok(&endpoint, Mode::Server, Way::Host);
        assert_eq!(same, expected);
        assert_eq!(grants["api-key"].destinations, header("x-api-key"));
        assert_eq!(grants["header:c"].destinations, header("c"));
    }
}
