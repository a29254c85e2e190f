//! An instance of a plugin: one sandbox, one actor, a bounded mailbox; started again after a fault.

mod actor;
mod contract;
mod log;
mod mail;
mod observer;
mod outside;
mod permissions;
mod queries;
mod queue;
mod rates;
mod requests;
mod timers;
mod toolbox;
mod tools;
mod turns;

use crate::bindings::exports::llm::provider::provider::Setup;
use crate::bindings::llm::provider::catalog::{Allowance, Model};
use crate::error::{HostError, TurnError};
use crate::inspect::Capability;
use crate::plugin::Plugin;
use crate::quota::Quota;
use crate::retry::Health;
use crate::session::Session;
use crate::tenant::Tenant;
pub(crate) use mail::{Mail, Signals};
pub use observer::Observer;
use queries::Query;
pub(crate) use queue::{AttemptEnd, Queued, TurnItem};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Mutex, mpsc, oneshot};
pub(crate) use toolbox::Toolbox;
pub(crate) use turns::{Called, OpenTurn};

/// A plugin with its configuration, ready to take turns. Its sessions share its sandbox and its sidecars, and nothing
/// with other instances. Cheap to clone. When the last handle and session are dropped, its sidecars are ended.
#[derive(Clone)]
pub struct Instance(pub(crate) Arc<Shared>);

/// What the handles of an instance share.
pub(crate) struct Shared {
    pub(crate) tenant: Tenant,
    pub(crate) plugin: Plugin,
    pub(crate) config: String,
    /// How the provider does, for all instances of the tenant that ask it in the same way.
    pub(crate) health: Arc<Health>,
    observer: std::sync::OnceLock<Arc<dyn Observer>>,
    /// Which of its tenant's instances.
    number: u64,
    next_id: AtomicU64,
    generation: AtomicU64,
    actor: Mutex<Option<Address>>,
}

/// Where a running actor can be reached.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) mail: mpsc::Sender<Mail>,
    pub(crate) signals: Arc<Signals>,
}

impl Instance {
    pub(crate) fn new(tenant: Tenant, plugin: Plugin, config: String) -> Self {
        let description = &plugin.inspection().description;
        let name = format!("{} {}", description.name, description.version);
        let health = tenant.0.providers.of(name, &config, tenant.0.limits.providers);
        let number = tenant.0.instances.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Shared {
            tenant,
            plugin,
            config,
            health,
            observer: std::sync::OnceLock::new(),
            number,
            next_id: AtomicU64::new(1),
            generation: AtomicU64::new(0),
            actor: Mutex::new(None),
        }))
    }

    /// Has everything that crosses the boundary looked at. Takes effect at the next start of the sandbox; the first
    /// observer stays.
    #[must_use]
    pub fn observed(self, observer: impl Observer + 'static) -> Self {
        drop(self.0.observer.set(Arc::new(observer)));
        self
    }

    /// A new conversation.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::new(self.clone(), self.0.next_id())
    }

    /// Makes sure that the sandbox runs and its configuration is accepted. Turns do this by themselves.
    ///
    /// # Errors
    /// As the plugin's `configure` does, and when no room for another instance is left.
    ///
    /// # Cancel safety
    /// Safe; a later call starts again.
    pub async fn start(&self) -> Result<(), TurnError> {
        self.0.address().await.map(drop)
    }

    /// The models that can be asked for. Starts the sidecar if the plugin needs it to know.
    ///
    /// # Errors
    /// [`HostError::NotOffered`] from a plugin that has no such list, [`TurnError::Provider`] when the provider has none
    /// for this account or endpoint.
    ///
    /// # Cancel safety
    /// Safe; the question is forgotten.
    pub async fn models(&self) -> Result<Vec<Model>, TurnError> {
        self.ask("which models there are", Query::Models).await
    }

    /// What is left of what the account was granted.
    ///
    /// # Errors
    /// As [`Instance::models`].
    ///
    /// # Cancel safety
    /// Safe; the question is forgotten.
    pub async fn quota(&self) -> Result<Vec<Allowance>, TurnError> {
        self.ask("what is left of a quota", Query::Quota).await
    }

    async fn ask<T>(
        &self,
        what: &'static str,
        query: impl FnOnce(oneshot::Sender<Result<T, TurnError>>) -> Query,
    ) -> Result<T, TurnError> {
        let inspection = self.0.plugin.inspection();
        if !inspection.capabilities.contains(&Capability::Catalog) {
            let plugin = inspection.description.name.clone();
            return Err(HostError::NotOffered { plugin, what }.into());
        }
        let (asked, answer) = oneshot::channel();
        self.0.post(Mail::Ask(self.0.next_id(), query(asked))).await?;
        answer.await.map_err(|_| HostError::Closed)?
    }

    /// Ends open turns and sidecars politely, within [`crate::Limits::shutdown_grace`]. A later turn starts afresh.
    ///
    /// # Cancel safety
    /// Safe: the end goes on without the caller.
    pub async fn close(&self) {
        let address = self.0.actor.lock().await.take();
        if let Some(address) = address {
            address.signals.shut();
            address.signals.ended().await;
        }
    }
}

impl Shared {
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A random number no other instance of the tenant draws.
    pub(crate) fn draw(&self) -> u64 {
        drawn(self.tenant.0.seed, self.number, self.next_id())
    }

    /// The running actor; starts one when there is none, or none any more.
    pub(crate) async fn address(self: &Arc<Self>) -> Result<Address, TurnError> {
        let mut actor = self.actor.lock().await;
        if let Some(address) = actor.as_ref().filter(|address| !address.mail.is_closed()) {
            return Ok(address.clone());
        }
        let address = self.start_actor().await?;
        *actor = Some(address.clone());
        Ok(address)
    }

    /// Sends mail to the running actor, and to a fresh one when that ends while the mail waits for room: it may end under
    /// what somebody else asked of it.
    pub(crate) async fn post(self: &Arc<Self>, mut mail: Mail) -> Result<Address, TurnError> {
        loop {
            let address = self.address().await?;
            match address.mail.send(mail).await {
                Ok(()) => return Ok(address),
                Err(mpsc::error::SendError(back)) => mail = back,
            }
        }
    }

    async fn start_actor(&self) -> Result<Address, TurnError> {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let seed = seed(self.tenant.0.seed, self.number, generation);
        let ledger = Arc::clone(&self.tenant.0.ledger);
        ledger.check(Quota::CpuMillis)?;
        let hold = ledger.hold(Quota::Instances, 1)?;
        let secrets = self.tenant.secrets().await?;
        let permit = self.tenant.0.cpu.acquire().await;
        let (plugin, limits) = (self.plugin.clone(), self.tenant.0.limits.clone());
        let setup = Setup { config: self.config.clone(), secrets: secrets.infos(), seed };
        let made = tokio::task::spawn_blocking(move || plugin.sandbox_of(&setup, &limits, &ledger, permit));
        let sandbox = made.await.map_err(|_| HostError::Closed)??;
        let observer = self.observer.get().cloned();
        Ok(actor::start(self.tenant.clone(), &self.plugin, sandbox, secrets, hold, observer))
    }
}

/// What an instance draws with its `number`th id. Apart from its seeds, which its plugin knows.
pub(crate) fn drawn(tenant: u64, instance: u64, number: u64) -> u64 {
    const DRAWS: u64 = 0x6a69_7474_6572;
    seed(tenant ^ DRAWS, instance, number)
}

/// A seed no other instance of the tenant has: the tenant's, mixed with the instance's number and its generation. With a
/// tenant's seed that is given, the same in each run.
fn seed(tenant: u64, instance: u64, generation: u64) -> u64 {
    [instance, generation].into_iter().fold(tenant, |mixed, part| {
        let z = (mixed ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ (z >> 32)
    })
}
