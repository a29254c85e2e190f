//! Host, tenant, instance and model server, put together for a test.

use llm_provider_host::{
    Capability, Destination, Event, Host, HostConfig, Instance, Plugin, Policy, Secret, SecretGrant, SidecarProgram,
    Turn, TurnError,
};
use llmp_model_server::{ModelServer, Script};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The key that the fake model is given, and that must turn up nowhere else.
pub const CANARY_KEY: &str = "sk-canary-0123456789abcdef";

/// One host for a test process: compiling the plugin is the expensive part.
pub async fn plugin() -> Plugin {
    static PLUGIN: OnceCell<Plugin> = OnceCell::const_new();
    let load = || async {
        let cache_dir = Some(crate::real_cli::cache_dir().join("compiled"));
        let host = Host::new(HostConfig { cache_dir, ..HostConfig::default() }).expect("a host");
        host.load(llm_provider_bundle::COPILOT, "copilot").await.expect("the plugin")
    };
    PLUGIN.get_or_init(load).await.clone()
}

/// Which wire the CLI talks to the model server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// OpenAI chat completions.
    Completions,
    /// OpenAI responses.
    Responses,
    /// Anthropic messages.
    Anthropic,
}

/// A model server and an instance whose sidecar uses it.
pub struct Rig {
    /// The fake model.
    pub model: ModelServer,
    /// The instance under test.
    pub instance: Instance,
    /// The tenant's directory.
    pub home: TempDir,
}

impl Rig {
    /// A rig around a sidecar, over chat completions.
    pub async fn new(script: Script, sidecar: impl SidecarProgram + 'static) -> Self {
        Self::with(script, sidecar, Wire::Completions, json!({})).await
    }

    /// A rig with a wire and further configuration of the plugin.
    pub async fn with(script: Script, sidecar: impl SidecarProgram + 'static, wire: Wire, more: Value) -> Self {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let model = ModelServer::start(script).await.expect("a model server");
        let home = TempDir::new().expect("a directory");
        let to = Destination::SidecarInput { sidecar: sidecar.name().to_owned() };
        let key = SecretGrant { value: Secret::new(CANARY_KEY), destinations: vec![to] };
        let mut policy = Policy::new(home.path()).allow(Capability::Tools).secret("api-key", key).sidecar(sidecar);
        policy.seed = SEED.fetch_add(1, Ordering::Relaxed);
        let plugin = plugin().await;
        let instance = plugin.host().tenant(policy).instance(&plugin, config(&model, wire, more).to_string()).expect("an instance");
        Self { model, instance, home }
    }
}

/// The plugin's configuration for a model server.
#[must_use]
pub fn config(model: &ModelServer, wire: Wire, more: Value) -> Value {
    let mut auth = match wire {
        Wire::Completions | Wire::Responses => {
            json!({ "type": "byok", "provider": "openai", "base-url": model.openai_base_url() })
        }
        Wire::Anthropic => json!({ "type": "byok", "provider": "anthropic", "base-url": model.base_url() }),
    };
    auth["api-key"] = json!({ "secret": "api-key" });
    if wire == Wire::Responses {
        auth["wire-api"] = "responses".into();
    }
    let mut config = json!({ "model": "stub-model", "auth": auth });
    let (Some(fields), Some(more)) = (config.as_object_mut(), more.as_object()) else { return config };
    fields.extend(more.clone());
    config
}

/// Everything a turn said.
#[derive(Debug, Default)]
pub struct Seen {
    /// All events, in order.
    pub events: Vec<Event>,
    /// The text of the current attempt, put together from deltas.
    pub text: String,
    /// The thinking of the current attempt.
    pub thinking: String,
    /// How it failed, if it did.
    pub error: Option<TurnError>,
}

/// Reads a turn to its end.
pub async fn read(mut turn: Turn) -> Seen {
    let mut seen = Seen::default();
    while let Some(item) = turn.next().await {
        match item {
            Ok(event) => seen.note(event),
            Err(error) => seen.error = Some(error),
        }
    }
    seen
}

impl Seen {
    /// Takes an event.
    pub fn note(&mut self, event: Event) {
        match &event {
            Event::AttemptStarted(_) => {
                self.text.clear();
                self.thinking.clear();
            }
            Event::TextDelta(delta) => self.text.push_str(&delta.text),
            Event::ThinkingDelta(delta) => self.thinking.push_str(&delta.text),
            _ => {}
        }
        self.events.push(event);
    }

    /// The last event, if the turn was answered.
    #[must_use]
    pub fn finished(&self) -> Option<&llm_provider_host::wit::events::Finished> {
        match self.events.last() {
            Some(Event::Finished(finished)) => Some(finished),
            _ => None,
        }
    }
}
