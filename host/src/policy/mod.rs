//! What a tenant is granted: as a value, or as one file of an operator's.

mod file;
mod grants;
#[cfg(test)]
mod tests;
mod tighten;

use crate::digest::Digest;
use crate::inspect::Capability;
use crate::limits::Limits;
use crate::permission::{DenyAll, PermissionPolicy};
use crate::quota::Quotas;
use crate::secret::{Resolvers, SecretGrant, SecretReference, SecretResolver};
use crate::sidecar::SidecarProgram;
pub use file::{PolicyError, PolicySources};
use llm_provider_http::Egress;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What a tenant grants. Nothing is granted that is not named here.
#[derive(Clone)]
pub struct Policy {
    /// The plugins it may use, by the digests of their components, each with the imports it may have; any that the embedder
    /// loads, with [`Self::capabilities`], when absent.
    pub plugins: Option<BTreeMap<Digest, BTreeSet<Capability>>>,
    /// Imports a plugin may have that is not granted its own.
    pub capabilities: BTreeSet<Capability>,
    /// Secrets by name, each with its destinations.
    pub secrets: BTreeMap<String, SecretGrant>,
    /// Secrets that are read when an instance starts, by name.
    pub references: BTreeMap<String, SecretReference>,
    /// Reads them.
    pub resolver: Arc<dyn SecretResolver>,
    /// Names of tools that may be offered to models; any when absent.
    pub tools: Option<BTreeSet<String>>,
    /// Models that may be asked for, with `*` for any characters; any when absent.
    pub models: Option<Vec<String>>,
    /// Tighter limits than the host's, made from [`Limits::loosest`]. What is looser here has no effect, nor have those that
    /// are the host's alone: of components and compiling, `instances`, `stack_bytes`, `suspended_calls` and `tick`.
    pub limits: Option<Limits>,
    /// Sidecars by the name a plugin asks for.
    pub sidecars: Vec<Arc<dyn SidecarProgram>>,
    /// The way out for the `http` import; none when absent. Its connections are this tenant's alone: give each tenant
    /// one of its own.
    pub egress: Option<Egress>,
    /// The provider's own tools that are on, by its names. None, unless the policy lists them.
    pub provider_tools: BTreeSet<String>,
    /// Decides what the model may do with them.
    pub permissions: Arc<dyn PermissionPolicy>,
    /// The tenant's own directory, for its sidecars' homes. Made with mode 0700 when first needed.
    pub directory: PathBuf,
    /// What it may use.
    pub quotas: Quotas,
    /// Makes the randomness of instances, for recordings that are to be repeated; drawn by the system when absent. Two
    /// instances never share a seed.
    pub seed: Option<u64>,
}

impl Policy {
    /// Grants what every plugin needs to answer at all: events, timers and the log; and what grants nothing by itself:
    /// to ask this policy for permissions, and to answer questions about the provider.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            plugins: None,
            capabilities: Capability::HARMLESS.into(),
            secrets: BTreeMap::new(),
            references: BTreeMap::new(),
            resolver: Arc::new(Resolvers::default()),
            tools: None,
            models: None,
            limits: None,
            sidecars: Vec::new(),
            egress: None,
            provider_tools: BTreeSet::new(),
            permissions: Arc::new(DenyAll),
            directory: directory.into(),
            quotas: Quotas::default(),
            seed: None,
        }
    }

    /// Grants a capability.
    #[must_use]
    pub fn allow(mut self, capability: Capability) -> Self {
        self.capabilities.insert(capability);
        self
    }

    /// Grants a sidecar, and the capability to start sidecars.
    #[must_use]
    pub fn sidecar(mut self, program: impl SidecarProgram + 'static) -> Self {
        self.sidecars.push(Arc::new(program));
        self.allow(Capability::Sidecar)
    }

    /// Grants a secret to its destinations.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, grant: SecretGrant) -> Self {
        self.secrets.insert(name.into(), grant);
        self
    }

    /// Grants a secret that is read when an instance starts.
    #[must_use]
    pub fn secret_at(mut self, name: impl Into<String>, reference: SecretReference) -> Self {
        self.references.insert(name.into(), reference);
        self
    }

    /// Says who reads secrets by their addresses.
    #[must_use]
    pub fn resolver(mut self, resolver: impl SecretResolver + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Grants a plugin by the digest of its component, with the imports it may have besides the harmless ones. The first
    /// one shuts out all others.
    #[must_use]
    pub fn plugin(mut self, digest: Digest, capabilities: impl IntoIterator<Item = Capability>) -> Self {
        let granted = Capability::HARMLESS.into_iter().chain(capabilities).collect();
        self.plugins.get_or_insert_default().insert(digest, granted);
        self
    }

    /// Grants HTTP requests as far as `egress` allows, and the capability to send them.
    #[must_use]
    pub fn egress(mut self, egress: Egress) -> Self {
        self.egress = Some(egress);
        self.allow(Capability::Http)
    }

    /// Grants so much of everything.
    #[must_use]
    pub fn quotas(mut self, quotas: Quotas) -> Self {
        self.quotas = quotas;
        self
    }

    /// Turns on tools of the provider's own, and says who decides what the model may do with them.
    #[must_use]
    pub fn provider_tools<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
        permissions: impl PermissionPolicy,
    ) -> Self {
        self.provider_tools.extend(names.into_iter().map(Into::into));
        self.permissions = Arc::new(permissions);
        self
    }
}
