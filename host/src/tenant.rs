//! A tenant: one policy, its secrets, its directories. Tenants share nothing but compiled code.

use crate::error::HostError;
use crate::host::Host;
use crate::inspect::Capability;
use crate::instance::Instance;
use crate::permission::{DenyAll, PermissionPolicy};
use crate::plugin::Plugin;
use crate::retry::Registry;
use crate::secret::{SecretGrant, Secrets};
use crate::sidecar::SidecarProgram;
use llm_provider_http::Egress;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What a tenant grants. Nothing is granted that is not named here.
#[derive(Clone)]
pub struct Policy {
    /// Imports a plugin may have.
    pub capabilities: BTreeSet<Capability>,
    /// Secrets by name, each with its destinations.
    pub secrets: BTreeMap<String, SecretGrant>,
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
    /// Makes the randomness of instances. Two instances never share a seed.
    pub seed: u64,
}

impl Policy {
    /// Grants what every plugin needs to answer at all: events, timers and the log; and what grants nothing by itself:
    /// to ask this policy for permissions, and to answer questions about the provider.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            capabilities: BTreeSet::from([
                Capability::Events,
                Capability::Timers,
                Capability::Log,
                Capability::Permissions,
                Capability::Catalog,
            ]),
            secrets: BTreeMap::new(),
            sidecars: Vec::new(),
            egress: None,
            provider_tools: BTreeSet::new(),
            permissions: Arc::new(DenyAll),
            directory: directory.into(),
            seed: 0,
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

    /// Grants HTTP requests as far as `egress` allows, and the capability to send them.
    #[must_use]
    pub fn egress(mut self, egress: Egress) -> Self {
        self.egress = Some(egress);
        self.allow(Capability::Http)
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

    /// The first import of a plugin that is not granted.
    fn refuses(&self, plugin: &Plugin) -> Option<Capability> {
        plugin.inspection().capabilities.iter().copied().find(|wanted| !self.capabilities.contains(wanted))
    }
}

/// One tenant of a host. Cheap to clone.
#[derive(Clone)]
pub struct Tenant(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) host: Host,
    pub(crate) policy: Policy,
    pub(crate) secrets: Secrets,
    /// How the providers do that this tenant asks. Never shared with another.
    pub(crate) providers: Registry,
}

impl Tenant {
    pub(crate) fn new(host: Host, mut policy: Policy) -> Self {
        let secrets = Secrets::new(std::mem::take(&mut policy.secrets));
        Self(Arc::new(Inner { host, policy, secrets, providers: Registry::default() }))
    }

    /// An instance of a plugin with its configuration (JSON, by the plugin's own schema). Nothing starts before the first
    /// turn.
    ///
    /// # Errors
    /// [`HostError::Denied`] when the plugin imports what the policy does not grant.
    pub fn instance(&self, plugin: &Plugin, config: impl Into<String>) -> Result<Instance, HostError> {
        if let Some(capability) = self.0.policy.refuses(plugin) {
            let name = &plugin.inspection().description.name;
            return Err(HostError::Denied(format!("`{capability}` to the plugin {name}, which imports it")));
        }
        Ok(Instance::new(self.clone(), plugin.clone(), config.into()))
    }
}
