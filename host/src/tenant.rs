//! A tenant: one policy, its secrets, its directories. Tenants share nothing but compiled code.

use crate::cpu::CpuShare;
use crate::error::HostError;
use crate::host::Host;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::policy::Policy;
use crate::quota::{Ledger, TenantUsage};
use crate::retry::Registry;
use crate::secret::{SecretGrant, Secrets};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// One tenant of a host. Cheap to clone.
#[derive(Clone)]
pub struct Tenant(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) id: TenantId,
    pub(crate) host: Host,
    pub(crate) policy: Policy,
    /// The host's, tightened by the policy.
    pub(crate) limits: Limits,
    pub(crate) seed: u64,
    /// How many instances it has had.
    pub(crate) instances: AtomicU64,
    /// How the providers do that this tenant asks. Never shared with another.
    pub(crate) providers: Registry,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) cpu: Arc<CpuShare>,
    /// One plugin after the other: those of a tenant take one place among those that are compiled.
    loading: tokio::sync::Mutex<()>,
}

/// Names a tenant in logs and metrics. Drawn by the system: it says nothing of the customer, and cannot be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(u128);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A number nobody can guess: the standard library keys its hashers from the system's randomness, each with a key of its
/// own.
fn drawn() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Tenant {
    pub(crate) fn new(host: Host, policy: Policy) -> Self {
        let seed = policy.seed.unwrap_or_else(drawn);
        Self(Arc::new(Inner {
            id: TenantId((u128::from(drawn()) << 64) | u128::from(drawn())),
            seed,
            instances: AtomicU64::new(0),
            ledger: Arc::new(Ledger::new(policy.quotas.clone())),
            cpu: host.0.cpu.share(),
            limits: policy.tighten(host.limits()),
            providers: Registry::default(),
            host,
            policy,
            loading: tokio::sync::Mutex::default(),
        }))
    }

    /// Its name in logs and metrics.
    #[must_use]
    pub fn id(&self) -> TenantId {
        self.0.id
    }

    /// What it holds, has spent and was refused, at this moment.
    #[must_use]
    pub fn usage(&self) -> TenantUsage {
        self.0.ledger.usage()
    }

    /// Inspects a plugin, and compiles it if the policy grants it: one that is refused costs nothing but the look. A tenant's
    /// plugins are compiled one after the other, so that a slow one holds up nobody else's while there are places
    /// ([`crate::Limits::compile_workers`]).
    ///
    /// # Errors
    /// [`HostError::Denied`] for a plugin that is not granted, or imports what is not; [`HostError::NotAPlugin`].
    ///
    /// # Cancel safety
    /// As [`Host::load`].
    pub async fn load(&self, bytes: impl Into<Vec<u8>>, origin: &str) -> Result<Plugin, HostError> {
        let bytes = bytes.into();
        self.0.policy.permits_plugin(&self.0.host.inspect(&bytes, origin)?)?;
        let _turn = self.0.loading.lock().await;
        self.0.host.load(bytes, origin).await
    }

    /// An instance of a plugin with its configuration (JSON, by the plugin's own schema). Nothing starts before the first
    /// turn.
    ///
    /// # Errors
    /// [`HostError::Denied`] when the policy does not grant the plugin, or what it imports.
    pub fn instance(&self, plugin: &Plugin, config: impl Into<String>) -> Result<Instance, HostError> {
        self.0.policy.permits_plugin(plugin.inspection())?;
        Ok(Instance::new(self.clone(), plugin.clone(), config.into()))
    }

    /// The secrets as they are now, for an instance that starts.
    pub(crate) async fn secrets(&self) -> Result<Arc<Secrets>, HostError> {
        let policy = &self.0.policy;
        let mut grants = policy.secrets.clone();
        for (name, reference) in &policy.references {
            let failed = |reason| HostError::Secret { name: name.clone(), reason };
            let deadline = self.0.limits.secret_deadline;
            let read = tokio::time::timeout(deadline, policy.resolver.resolve(&reference.address)).await;
            let value = read.map_err(|_| failed(format!("nobody gave it within {deadline:?}")))?.map_err(failed)?;
            grants.insert(name.clone(), SecretGrant { value, destinations: reference.destinations.clone() });
        }
        Ok(Arc::new(Secrets::new(grants)))
    }
}
