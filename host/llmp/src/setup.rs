//! From resolved configuration to running instances: the one place where the program's values become the library's.

mod copilot;
mod engine;
mod http;

use crate::config::{Permissions, Provider, Resolved, Through, printable};
use crate::failure::{Asked, Failure};
use crate::mcp::Servers;
use crate::permission::AskPerson;
use crate::signals::Signals;
use crate::{Surroundings, egress, inspect};
use engine::Engine;
use llm_provider_host::{
    AllowKinds, Candidate, Capability, DenyAll, Host, Instance, PermissionPolicy, Plugin, Policy, ReasoningEffort,
    Route, SecretGrant, TurnRequest,
};
use llmp_model_server::ModelServer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Everything a command needs to ask.
pub(crate) struct Ready {
    pub(crate) request: TurnRequest,
    /// Whom failures are about.
    pub(crate) asked: Asked,
    first: Answerer,
    /// Who is asked next, with the model.
    next: Vec<(Next, String)>,
    /// What the first is called in notices.
    name: String,
    servers: Servers,
}

/// Who is asked when a model cannot answer.
enum Next {
    /// The same provider, for another model.
    First,
    /// Another.
    Other(Answerer),
}

/// A provider that can be asked.
pub(crate) struct Answerer {
    pub(crate) instance: Instance,
    /// The most tokens of its answers, where its table says and nothing else does.
    pub(crate) max_output_tokens: Option<u32>,
    /// The built-in demo model, while it is needed.
    _demo: Option<ModelServer>,
}

impl Ready {
    /// A conversation with whoever answers.
    pub(crate) fn route(&self) -> Route {
        let candidate = |answerer: &Answerer, model: Option<&String>| Candidate {
            session: answerer.instance.session(),
            model: model.cloned(),
            max_output_tokens: answerer.max_output_tokens,
            name: model.cloned().unwrap_or_else(|| self.name.clone()),
        };
        let others = self.next.iter().map(|(next, model)| match next {
            Next::First => candidate(&self.first, Some(model)),
            Next::Other(other) => candidate(other, Some(model)),
        });
        Route::new(candidate(&self.first, None), others.collect())
    }

    /// Ends everything politely. A signal ends it at once, as dropping does; so does one that came already beside the one
    /// that ended the turn.
    pub(crate) async fn close(self, signals: &mut Signals) {
        if !signals.urgent() {
            drop(signals.unless_stopped(self.end()).await);
        }
    }

    async fn end(self) {
        self.first.instance.close().await;
        for (next, _) in self.next {
            if let Next::Other(other) = next {
                other.instance.close().await;
            }
        }
        self.servers.close().await;
    }
}

/// Who decides when the policy is to ask.
#[derive(Clone)]
pub(crate) enum Asker {
    /// There is nobody: it is denied.
    Nobody,
    /// The person in the chat.
    Person(AskPerson),
}

/// Makes the host and everybody who may be asked. Starts no sidecar.
pub(crate) async fn prepare(resolved: &Resolved, asker: Asker, surroundings: &Surroundings) -> Result<Ready, Failure> {
    let foundation = Foundation::new(resolved, asker, surroundings)?;
    let first = foundation.answerer(resolved, true).await?;
    let servers = Servers::start(resolved, surroundings).await?;
    let mut next = Vec::new();
    for candidate in &resolved.fallback {
        let (provider, model) = (&candidate.provider, &candidate.model);
        let who = if provider.value.name() == resolved.provider.value.name() {
            Next::First
        } else {
            let with = resolved.with(provider.clone(), Some(model.clone()));
            Next::Other(foundation.answerer(&with, false).await?)
        };
        next.push((who, model.value.clone()));
    }
    let request = TurnRequest { tools: servers.tools.clone(), ..request(resolved) };
    let name = request.model.clone().unwrap_or_else(|| resolved.provider.value.name().to_owned());
    Ok(Ready { request, asked: Asked::of(resolved), first, next, name, servers })
}

/// What all providers stand on.
pub(crate) struct Foundation<'a> {
    host: Host,
    /// Where plugins are compiled, for as long as there is something to compile.
    _cache: Option<TempDir>,
    asker: Asker,
    surroundings: &'a Surroundings,
    /// A plugin's file instead of the embedded ones.
    file: Option<&'a Path>,
}

impl<'a> Foundation<'a> {
    pub(crate) fn new(resolved: &'a Resolved, asker: Asker, surroundings: &'a Surroundings) -> Result<Self, Failure> {
        let Engine { host, cache } = Engine::new(resolved)?;
        Ok(Self { host, _cache: cache, asker, surroundings, file: resolved.plugin.as_deref() })
    }

    /// Makes a provider ready to be asked. What it needs of the network is fetched now when it is `needed` at once.
    pub(crate) async fn answerer(&self, resolved: &Resolved, needed: bool) -> Result<Answerer, Failure> {
        match &resolved.provider.value {
            Provider::Endpoint(endpoint) if endpoint.through == Through::Http => {
                let http::Direct { config, secrets } = http::direct(endpoint)?;
                let plugin = self.load(embedded(resolved)).await?;
                let egress = egress::open(&endpoint.base_url.value, &resolved.sidecar.network)?;
                let policy = self.policy(resolved, secrets).egress(egress);
                let instance = self.host.tenant(policy).instance(&plugin, config.to_string())?;
                // The Copilot plugin knows it from its configuration.
                Ok(Answerer { instance, max_output_tokens: endpoint.max_output_tokens, _demo: None })
            }
            _ => copilot::answerer(self, resolved, needed).await,
        }
    }

    /// The plugin of the command line, or an embedded one.
    async fn load(&self, (embedded, name): (&'static [u8], &str)) -> Result<Plugin, Failure> {
        let Some(path) = self.file else {
            return Ok(self.host.load(embedded, &format!("the embedded plugin `{name}`")).await?);
        };
        let origin = printable(&path.display().to_string());
        let limit = self.host.limits().component_bytes;
        // A pipe or a slow disk must not keep signals waiting.
        let (path, named) = (PathBuf::from(path), origin.clone());
        let reading = tokio::task::spawn_blocking(move || inspect::read(&path, &named, limit));
        let bytes = reading.await.map_err(|_| Failure::usage(format!("{origin} was not read"), "try again"))??;
        Ok(self.host.load(bytes, &origin).await?)
    }

    fn policy(&self, resolved: &Resolved, secrets: Grants) -> Policy {
        let mut policy = Policy::new(resolved.data_dir.value.join("tenants/default"));
        // `Http` alone reaches nothing: origins are granted where there is an endpoint.
        for capability in [Capability::Tools, Capability::Wasi, Capability::Http] {
            policy = policy.allow(capability);
        }
        if resolved.through_copilot() {
            policy.provider_tools.extend(resolved.tools.own.iter().cloned());
        }
        policy.permissions = permissions(&resolved.tools.permissions, self.asker.clone());
        secrets.into_iter().fold(policy, |policy, (name, grant)| policy.secret(name, grant))
    }
}

/// The embedded plugin that answers, and its name.
pub(crate) fn embedded(resolved: &Resolved) -> (&'static [u8], &'static str) {
    match &resolved.provider.value {
        Provider::Endpoint(endpoint) if endpoint.through == Through::Http => http::plugin(endpoint.kind.value),
        _ => (llm_provider_bundle::COPILOT, "copilot"),
    }
}

type Grants = BTreeMap<String, SecretGrant>;

fn permissions(asked: &Permissions, asker: Asker) -> Arc<dyn PermissionPolicy> {
    match (asked, asker) {
        (Permissions::Deny, _) | (Permissions::Ask, Asker::Nobody) => Arc::new(DenyAll),
        (Permissions::Ask, Asker::Person(person)) => Arc::new(person),
        (Permissions::Allow(kinds), _) => Arc::new(AllowKinds(kinds.clone())),
    }
}

fn request(resolved: &Resolved) -> TurnRequest {
    let mut request = TurnRequest::new(Vec::new());
    request.model = resolved.model.as_ref().map(|model| model.value.clone());
    request.system.clone_from(&resolved.system);
    request.deadline = resolved.deadline;
    request.tool_deadline = resolved.tool_deadline;
    request.max_output_tokens = resolved.max_output_tokens;
    request.reasoning_effort = resolved.reasoning_effort.as_deref().map(effort);
    request.activity_timeout = resolved.activity_timeout;
    request
}

fn effort(level: &str) -> ReasoningEffort {
    match level {
        "minimal" => ReasoningEffort::Minimal,
        "low" => ReasoningEffort::Low,
        "medium" => ReasoningEffort::Medium,
        "high" => ReasoningEffort::High,
        other => ReasoningEffort::Other(other.to_owned()),
    }
}
