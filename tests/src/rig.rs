//! Host, tenant, instance and model server, put together for a test.

mod http;
pub mod processes;
mod seen;

use crate::real_cli;
use crate::watch::Watch;
pub use http::Flavor;
use llm_provider_host::egress::{Egress, EgressLimits, EgressPolicy, Origin, Trust};
use llm_provider_host::{
    Capability, Destination, Host, HostConfig, Instance, Message, Plugin, Policy, RetryPolicy, Secret, SecretGrant,
    Session, SidecarProgram, TurnRequest, user_message,
};
use llmp_model_server::{ModelServer, RecordedRequest, Script};
pub use seen::{Seen, read};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

/// The key that the fake model is given, and that must turn up nowhere else.
pub const CANARY_KEY: &str = "sk-canary-0123456789abcdef";

/// The Copilot plugin, compiled once for a test process.
pub async fn plugin() -> Plugin {
    static PLUGIN: OnceCell<Plugin> = OnceCell::const_new();
    loaded(&PLUGIN, llm_provider_bundle::COPILOT, "copilot").await
}

/// A plugin on the host that a test process has: compiling is the expensive part.
async fn loaded(kept: &OnceCell<Plugin>, bytes: &'static [u8], name: &str) -> Plugin {
    static HOST: LazyLock<Host> = LazyLock::new(|| {
        let cache_dir = Some(real_cli::cache_dir().join("compiled"));
        Host::new(HostConfig { cache_dir, ..HostConfig::default() }).expect("a host")
    });
    kept.get_or_init(|| async { HOST.load(bytes, name).await.expect("the plugin") }).await.clone()
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
    /// Drops before the directory it looks at.
    _watch: Watch,
    /// The tenant's directory.
    pub home: TempDir,
    /// Its place among the CLIs that may run at once.
    _room: Option<OwnedSemaphorePermit>,
}

/// Real CLIs at once in a test process: each takes 200 MB and, while it starts, a core.
const ROOM: usize = 3;

/// Longer than anything a test waits for on a busy machine; passing it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl Rig {
    /// A rig around a sidecar, over chat completions.
    pub async fn new(script: Script, sidecar: impl SidecarProgram + 'static) -> Self {
        Self::with(script, sidecar, Wire::Completions, json!({})).await
    }

    /// A rig with a wire and further configuration of the plugin.
    pub async fn with(script: Script, sidecar: impl SidecarProgram + 'static, wire: Wire, more: Value) -> Self {
        let to = Destination::SidecarInput { sidecar: sidecar.name().to_owned() };
        let key =
            |policy: Policy, model: &ModelServer| policy.secret("api-key", canary(vec![key_header(model, wire), to]));
        Self::built(script, sidecar, wire, more, key).await
    }

    /// A rig whose policy grants no secrets, but for what `change` adds.
    pub async fn granted(
        script: Script,
        sidecar: impl SidecarProgram + 'static,
        wire: Wire,
        more: Value,
        change: impl FnOnce(Policy) -> Policy,
    ) -> Self {
        Self::built(script, sidecar, wire, more, |policy, _| change(policy)).await
    }

    /// A rig whose policy grants the way to the model, and what `change` adds once there is one.
    async fn built(
        script: Script,
        sidecar: impl SidecarProgram + 'static,
        wire: Wire,
        more: Value,
        change: impl FnOnce(Policy, &ModelServer) -> Policy,
    ) -> Self {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let model = ModelServer::start(script).await.expect("a model server");
        let home = TempDir::new().expect("a directory");
        let mut policy = Policy::new(home.path()).allow(Capability::Tools).sidecar(sidecar).egress(egress(&model));
        policy.seed = Some(SEED.fetch_add(1, Ordering::Relaxed));
        let plugin = plugin().await;
        let instance = plugin
            .host()
            .tenant(change(policy, &model))
            .instance(&plugin, config(&model, wire, more).to_string())
            .expect("an instance");
        Self { model, instance, _watch: Watch::over(home.path()), home, _room: None }
    }

    /// A rig around the real CLI, over chat completions; `None` when the person asked to skip those.
    pub async fn real(test: &str, script: Script) -> Option<Self> {
        Self::real_with(test, script, Wire::Completions, json!({})).await
    }

    /// A rig around the real CLI, with a wire and further configuration of the plugin.
    pub async fn real_with(test: &str, script: Script, wire: Wire, more: Value) -> Option<Self> {
        Self::real_under(test, script, wire, more, |policy| policy).await
    }

    /// A rig around the real CLI whose tenant has more of a policy.
    pub async fn real_under(
        test: &str,
        script: Script,
        wire: Wire,
        more: Value,
        change: impl FnOnce(Policy) -> Policy,
    ) -> Option<Self> {
        let room = room(test).await?;
        let sidecar = real_cli::sidecar();
        // Nowhere else: the CLI itself is not to have it, unless a test lets it send its requests.
        let direct = more["egress"] == "direct";
        let cli = Destination::SidecarInput { sidecar: sidecar.name().to_owned() };
        let granted = |policy: Policy, model: &ModelServer| {
            let to = if direct { cli } else { key_header(model, wire) };
            change(policy.secret("api-key", canary(vec![to])))
        };
        let rig = Self::built(script, sidecar, wire, more, granted).await;
        Some(rig.in_room(room))
    }

    /// The rig with its place among the CLIs that may run at once.
    #[must_use]
    pub fn in_room(self, room: OwnedSemaphorePermit) -> Self {
        Self { _room: Some(room), ..self }
    }

    /// One question to a session, as [`Session::send`] asks it, read to its end.
    pub async fn send(&self, session: &Session, prompt: &str) -> Seen {
        read(session.send(prompt, once(Vec::new())).await.expect("started")).await
    }

    /// One question in a session of its own, read to its end.
    pub async fn ask(&self, prompt: &str) -> Seen {
        self.turn(&self.instance.session(), TurnRequest::new(vec![user_message(prompt)])).await
    }

    /// A turn with its whole history, asked once and read to its end.
    pub async fn turn(&self, session: &Session, request: TurnRequest) -> Seen {
        let request = TurnRequest { retry: RetryPolicy::off(), ..request };
        read(session.turn(request).await.expect("started")).await
    }

    /// The last request the model got.
    ///
    /// # Panics
    /// When it got none.
    #[must_use]
    pub fn last_request(&self) -> RecordedRequest {
        self.model.requests().pop().expect("a request")
    }

    /// Waits until the client has closed the connection of the model's last reply, before it was complete.
    ///
    /// # Panics
    /// When that does not happen.
    pub async fn client_left(&self) {
        let left = |requests: &[RecordedRequest]| requests.last().is_some_and(|last| last.disconnected_at().is_some());
        self.model.wait_until(PATIENCE, left).await.expect("the abort reaches the model");
    }
}

/// Waits for a place for a real CLI, which is there then; `None` when the person asked to skip those.
///
/// # Panics
/// When the CLI cannot be had.
pub async fn room(test: &str) -> Option<OwnedSemaphorePermit> {
    static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(ROOM)));
    if real_cli::skipped(test) {
        return None;
    }
    real_cli::located().await;
    Some(Arc::clone(&PLACES).acquire_owned().await.expect("never closed"))
}

/// The key, for these places only.
#[must_use]
pub fn canary(destinations: Vec<Destination>) -> SecretGrant {
    SecretGrant { value: Secret::new(CANARY_KEY), destinations }
}

/// Where the key goes when the host sends the requests.
fn key_header(model: &ModelServer, wire: Wire) -> Destination {
    let header = match wire {
        Wire::Completions | Wire::Responses => "authorization",
        Wire::Anthropic => "x-api-key",
    };
    let origin = Origin::of(&model.base_url()).expect("an origin").to_string();
    Destination::HttpHeader { origin, header: header.to_owned() }
}

/// The way to the model server and to nothing else.
///
/// # Panics
/// Never: its address has an origin.
#[must_use]
pub fn egress(model: &ModelServer) -> Egress {
    let origin = Origin::of(&model.base_url()).expect("an origin");
    let policy = EgressPolicy::new(Trust::only([]).expect("no authorities")).allow_private(origin);
    Egress::new(policy, EgressLimits::default()).expect("a way out")
}

fn merge(into: &mut Value, more: &Value) {
    let (Some(fields), Some(more)) = (into.as_object_mut(), more.as_object()) else { return };
    fields.extend(more.clone());
}

/// A turn that is asked once: most tests are about one failure, and those of retries say so themselves.
#[must_use]
pub fn once(history: Vec<Message>) -> TurnRequest {
    TurnRequest { retry: RetryPolicy::off(), ..TurnRequest::new(history) }
}

/// A message of the model, from text.
#[must_use]
pub fn model_message(text: &str) -> Message {
    Message { role: llm_provider_host::Role::Assistant, ..user_message(text) }
}

/// A conversation from its texts, the person first, in turns.
#[must_use]
pub fn conversation(texts: &[&str]) -> Vec<Message> {
    let message = |(at, text): (usize, &&str)| if at % 2 == 0 { user_message(*text) } else { model_message(text) };
    texts.iter().enumerate().map(message).collect()
}

/// The plugin's configuration for a model server; `more` goes over it, its `auth` over what is in `auth`.
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
    merge(&mut auth, &more["auth"]);
    let mut config = json!({ "model": "stub-model" });
    merge(&mut config, &more);
    config["auth"] = auth;
    config
}
