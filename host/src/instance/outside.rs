//! The effects that leave the process: sidecars and HTTP requests of an instance.

use super::requests::Requests;
use crate::bindings::exports::llm::provider::provider::{Input, SidecarFault};
use crate::bindings::llm::provider::http::Request;
use crate::bindings::llm::provider::http_types::RequestId;
use crate::bindings::llm::provider::secrets::Chunk;
use crate::bindings::llm::provider::sidecar::{SidecarId, Spec, StopMode};
use crate::limits::Limits;
use crate::quota::Quota;
use crate::scrub::Scrubber;
use crate::secret::{Destination, Secrets};
use crate::sidecar::{Order, Run, RunContext, SidecarProgram, SidecarUnavailable};
use crate::tenant::Tenant;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What runs outside on behalf of an instance. Dropping it ends all of it.
pub(crate) struct Outside {
    tenant: Tenant,
    secrets: Arc<Secrets>,
    pub(crate) scrubber: Scrubber,
    inputs: mpsc::Sender<Input>,
    sidecars: BTreeMap<SidecarId, (String, Run)>,
    requests: Requests,
}

impl Outside {
    pub(crate) fn new(tenant: Tenant, secrets: Arc<Secrets>, inputs: mpsc::Sender<Input>) -> Self {
        let scrubber = Scrubber::new(&secrets);
        Self { tenant, secrets, scrubber, inputs, sidecars: BTreeMap::new(), requests: Requests::default() }
    }

    fn limits(&self) -> &Limits {
        &self.tenant.0.limits
    }

    /// True while a sidecar runs.
    pub(crate) fn busy(&self) -> bool {
        !self.sidecars.is_empty()
    }

    /// Forgets a sidecar that has ended.
    pub(crate) fn ended(&mut self, id: SidecarId) {
        self.sidecars.remove(&id);
    }

    /// Starts a sidecar; a refusal is an input, as any other failure to start.
    pub(crate) fn start_sidecar(&mut self, id: SidecarId, spec: &Spec) -> Option<Input> {
        match self.run_context(id, spec) {
            Ok(context) => {
                self.sidecars.insert(id, (spec.name.clone(), Run::start(context)));
                None
            }
            Err(SidecarUnavailable { message, hint }) => Some(Input::SidecarFailed(SidecarFault { id, message, hint })),
        }
    }

    fn run_context(&self, id: SidecarId, spec: &Spec) -> Result<RunContext, SidecarUnavailable> {
        let refused =
            |message: String, hint: Option<&str>| SidecarUnavailable { message, hint: hint.map(str::to_owned) };
        let limits = self.limits();
        if self.sidecars.len() >= limits.sidecars {
            let message = format!("{} sidecars run already", limits.sidecars);
            return Err(refused(message, Some("raise `Limits::sidecars`")));
        }
        let program = self.granted(&spec.name)?;
        let settings: BTreeMap<String, String> =
            spec.settings.iter().map(|setting| (setting.name.clone(), setting.value.clone())).collect();
        let mut secret_variables = Vec::new();
        for wanted in &spec.secrets {
            if !program.secret_variables().contains(&wanted.name.as_str()) {
                let message = format!("the variable {} of {} may not carry a secret", wanted.name, spec.name);
                return Err(refused(message, None));
            }
            let to = Destination::SidecarVariable { sidecar: spec.name.clone(), variable: wanted.name.clone() };
            let value = self.secrets.resolve(&wanted.secret, &to);
            let hint = Some("bind the secret to this destination in the policy");
            secret_variables.push((wanted.name.clone(), value.map_err(|message| refused(message, hint))?));
        }
        let hold = self.tenant.0.ledger.hold(Quota::Sidecars, 1);
        let hold = hold.map_err(|exceeded| {
            refused(exceeded.to_string(), Some("end one first, or grant more in the tenant's policy"))
        })?;
        Ok(RunContext {
            _hold: hold,
            id,
            program,
            tenant_directory: self.tenant.0.policy.directory.clone(),
            settings,
            secret_variables,
            scrubber: self.scrubber.clone(),
            limits: limits.clone(),
            inputs: self.inputs.clone(),
        })
    }

    fn granted(&self, name: &str) -> Result<Arc<dyn SidecarProgram>, SidecarUnavailable> {
        let found = self.tenant.0.policy.sidecars.iter().find(|program| program.name() == name);
        found.cloned().ok_or_else(|| SidecarUnavailable {
            message: format!("the policy grants no sidecar `{name}`"),
            hint: Some("add it to the tenant's policy".into()),
        })
    }

    /// Writes to a sidecar. One that lets its input pile up is killed; the plugin learns it by its exit.
    pub(crate) fn send_sidecar(&mut self, id: SidecarId, data: Vec<Chunk>) -> Result<(), String> {
        let Some((name, run)) = self.sidecars.get(&id) else { return Ok(()) };
        let to = Destination::SidecarInput { sidecar: name.clone() };
        let bytes = self.secrets.join(data, &to)?;
        if !run.order(Order::Write(bytes)) {
            tracing::warn!(sidecar = name, "the sidecar does not read its input and is ended");
            self.stop_sidecar(id, StopMode::Kill);
        }
        Ok(())
    }

    /// Ends a sidecar's input after what was written.
    pub(crate) fn close_input(&mut self, id: SidecarId) {
        if let Some((_, run)) = self.sidecars.get(&id)
            && !run.order(Order::CloseInput)
        {
            self.stop_sidecar(id, StopMode::Kill);
        }
    }

    pub(crate) fn stop_sidecar(&mut self, id: SidecarId, mode: StopMode) {
        if let Some((_, run)) = self.sidecars.get(&id) {
            run.stop(mode);
        }
    }

    /// Sends a request; a refusal is an input.
    pub(crate) fn send_http(&mut self, id: RequestId, request: Request) -> Option<Input> {
        self.requests.send(id, request, &self.tenant, &self.secrets, &self.scrubber, &self.inputs)
    }

    /// Whether the plugin may hear of an input: see [`Requests::awaits`].
    pub(crate) fn awaits(&mut self, input: &Input) -> bool {
        self.requests.awaits(input)
    }

    pub(crate) fn cancel_http(&mut self, id: RequestId) {
        self.requests.cancel(id);
    }
}
