//! Plugins that reach the model server by HTTP themselves, without a sidecar.

use super::{Rig, canary, egress, loaded, merge};
use crate::watch::Watch;
use llm_provider_host::egress::Origin;
use llm_provider_host::{Capability, Destination, Plugin, Policy};
use llmp_model_server::{ModelServer, Script};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// A plugin and the dialect that it is to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// The OpenAI plugin, chat completions.
    Chat,
    /// The OpenAI plugin, Responses.
    Responses,
    /// The Anthropic plugin.
    Anthropic,
    /// The Gemini plugin.
    Gemini,
}

impl Flavor {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Anthropic, Self::Gemini];

    /// The plugin, compiled once for a test process.
    pub async fn plugin(self) -> Plugin {
        static OPENAI: OnceCell<Plugin> = OnceCell::const_new();
        static ANTHROPIC: OnceCell<Plugin> = OnceCell::const_new();
        static GEMINI: OnceCell<Plugin> = OnceCell::const_new();
        match self {
            Self::Chat | Self::Responses => loaded(&OPENAI, llm_provider_bundle::OPENAI, "openai").await,
            Self::Anthropic => loaded(&ANTHROPIC, llm_provider_bundle::ANTHROPIC, "anthropic").await,
            Self::Gemini => loaded(&GEMINI, llm_provider_bundle::GEMINI, "gemini").await,
        }
    }

    /// The header for the key, in lower case, and what stands before the key there.
    #[must_use]
    pub fn key_header(self) -> (&'static str, &'static str) {
        match self {
            Self::Chat | Self::Responses => ("authorization", "Bearer "),
            Self::Anthropic => ("x-api-key", ""),
            Self::Gemini => ("x-goog-api-key", ""),
        }
    }

    /// The configuration for a model server, with the key by name; `more` goes over it.
    #[must_use]
    pub fn config(self, model: &ModelServer, more: &Value) -> Value {
        let base = match self {
            Self::Chat | Self::Responses => model.openai_base_url(),
            Self::Anthropic | Self::Gemini => model.base_url(),
        };
        let mut config = json!({ "base-url": base, "api-key": { "secret": "api-key" }, "model": "stub-model" });
        if self == Self::Responses {
            config["api"] = "responses".into();
        }
        merge(&mut config, more);
        config
    }

    /// The one place to which the key goes.
    ///
    /// # Panics
    /// Never: the model server's address has an origin.
    #[must_use]
    pub fn key_destination(self, model: &ModelServer) -> Destination {
        let origin = Origin::of(&model.base_url()).expect("an origin").to_string();
        Destination::HttpHeader { origin, header: self.key_header().0.to_owned() }
    }
}

impl Rig {
    /// A rig around a plugin that sends its requests itself.
    pub async fn http(script: Script, flavor: Flavor) -> Self {
        Self::http_with(script, flavor, json!({})).await
    }

    /// The same with further configuration of the plugin.
    pub async fn http_with(script: Script, flavor: Flavor, more: Value) -> Self {
        let key = |policy: Policy, model: &ModelServer| {
            policy.secret("api-key", canary(vec![flavor.key_destination(model)])).egress(egress(model))
        };
        Self::http_under(script, flavor, more, key).await
    }

    /// The same under a policy that grants events, timers, tools, and what `grant` adds: neither a key nor a way out.
    ///
    /// # Panics
    /// When something cannot be set up.
    pub async fn http_under(
        script: Script,
        flavor: Flavor,
        more: Value,
        grant: impl FnOnce(Policy, &ModelServer) -> Policy,
    ) -> Self {
        static SEED: AtomicU64 = AtomicU64::new(1 << 32);
        let model = ModelServer::start(script).await.expect("a model server");
        let home = TempDir::new().expect("a directory");
        let mut policy = Policy::new(home.path()).allow(Capability::Tools).allow(Capability::Http);
        policy.seed = Some(SEED.fetch_add(1, Ordering::Relaxed));
        let plugin = flavor.plugin().await;
        let config = flavor.config(&model, &more).to_string();
        let tenant = plugin.host().tenant(grant(policy, &model));
        let instance = tenant.instance(&plugin, config).expect("an instance");
        Self { model, instance, _watch: Watch::over(home.path()), home, _room: None }
    }
}
