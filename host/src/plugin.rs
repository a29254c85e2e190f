//! A plugin that was inspected and compiled, and can be instantiated.

use crate::bindings::LlmProviderPre;
use crate::bindings::exports::llm::provider::provider::Setup;
use crate::bindings::llm::provider::secrets::SecretInfo;
use crate::cpu::Permit;
use crate::error::TurnError;
use crate::host::Host;
use crate::inspect::Inspection;
use crate::limits::Limits;
use crate::quota::{Ledger, Quota};
use crate::sandbox::{Account, Sandbox, State};
use crate::ticker::Ticker;
use std::sync::Arc;

/// A compiled plugin. Cheap to clone; compiled code is all that tenants share.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    host: Host,
    inspection: Inspection,
    pre: LlmProviderPre<State>,
}

impl Plugin {
    pub(crate) fn new(host: Host, inspection: Inspection, pre: LlmProviderPre<State>) -> Self {
        Self(Arc::new(Inner { host, inspection, pre }))
    }

    /// What it is and wants.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    /// A configured sandbox without a driver: inputs in, effects out. For replay, tests and engines that have their own
    /// event loop; everybody else wants [`crate::Tenant::instance`].
    ///
    /// # Errors
    /// As the plugin's `configure` does, and when no room for another instance is left.
    pub fn sandbox(&self, config: &str, secrets: Vec<SecretInfo>, seed: u64) -> Result<Sandbox, TurnError> {
        let setup = Setup { config: config.to_owned(), secrets, seed };
        Sandbox::new(&self.0.pre, self.0.host.limits(), &setup, self.ticker(), None).0
    }

    /// A sandbox on a tenant's account: its memory and its computing count there.
    pub(crate) fn sandbox_of(
        &self,
        setup: &Setup,
        limits: &Limits,
        ledger: &Arc<Ledger>,
        permit: Permit,
    ) -> Result<Sandbox, TurnError> {
        let account = Account { memory: ledger.hold(Quota::MemoryBytes, 0)?, permit };
        let (made, computed) = Sandbox::new(&self.0.pre, limits, setup, self.ticker(), Some(account));
        ledger.computed(computed);
        made
    }

    fn ticker(&self) -> Arc<Ticker> {
        Arc::clone(&self.0.host.0.ticker)
    }

    /// The host it was loaded into.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.0.host
    }
}
