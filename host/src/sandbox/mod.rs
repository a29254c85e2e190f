//! One plugin instance as a plain synchronous object: inputs in, effects out. Nothing here knows of tasks or sockets.

mod budget;
mod imports;
mod limiter;
mod state;
mod wasi;

use crate::bindings::LlmProviderPre;
use crate::bindings::exports::llm::provider::provider::{Input, Setup};
use crate::cpu::Permit;
use crate::effect::Effect;
use crate::error::{PluginFault, TurnError, one_line};
use crate::limits::Limits;
use crate::quota::Hold;
use crate::ticker::Ticker;
use crate::{bindings::LlmProvider, error::HostError};
pub(crate) use state::State;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::Linker;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

/// A configured instance of a plugin. Calls are short and synchronous; whoever drives it decides on which thread.
///
/// Same inputs, same effects: a list of inputs with their times, given to a fresh sandbox with the same setup, leads to
/// the same effects.
pub struct Sandbox {
    store: Store<State>,
    plugin: LlmProvider,
}

impl Sandbox {
    /// Instantiates and configures. `seed` makes the plugin's randomness.
    ///
    /// # Errors
    /// [`TurnError::Provider`] when the plugin refuses its configuration, [`TurnError::Fault`] when it is stopped while it
    /// looks at it, [`TurnError::Host`] when no room for another instance is left.
    ///
    /// Gives back too how long it computed, where it has an `account`.
    pub(crate) fn new(
        pre: &LlmProviderPre<State>,
        limits: &Limits,
        setup: &Setup,
        ticker: Arc<Ticker>,
        account: Option<Account>,
    ) -> (Result<Self, TurnError>, Duration) {
        let mut store = Store::new(pre.engine(), State::new(limits, setup.seed, ticker, account));
        let made = Self::configured(&mut store, pre, limits, setup);
        let computed = store.data_mut().end_permit();
        (made.map(|plugin| Self { store, plugin }), computed)
    }

    fn configured(
        store: &mut Store<State>,
        pre: &LlmProviderPre<State>,
        limits: &Limits,
        setup: &Setup,
    ) -> Result<LlmProvider, TurnError> {
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.call_data_bytes);
        store.epoch_deadline_callback(|mut context| {
            context.data().beat();
            if context.data().is_short() {
                return Ok(UpdateDeadline::Continue(1));
            }
            if budget::is_used_up(context.data_mut()) {
                return Err(Trap::Interrupt.into());
            }
            context.data_mut().share_core();
            Ok(UpdateDeadline::Continue(1))
        });
        state::begin_call(store);
        let plugin = pre.instantiate(&mut *store).map_err(|error| instantiate_error(store, limits, &error))?;
        let answer = plugin.llm_provider_provider().call_configure(&mut *store, setup);
        match answer {
            Ok(Ok(())) => Ok(plugin),
            Ok(Err(refused)) => Err(refused.into()),
            Err(error) => Err(fault(store, &error).into()),
        }
    }

    /// Hands over inputs, in order, at `now` milliseconds since the instance began, and takes the effects.
    ///
    /// # Errors
    /// Any fault ends the instance: a sandbox that failed once is of no use any more.
    pub fn handle(&mut self, now: u64, inputs: &[Input]) -> Result<Vec<Effect>, PluginFault> {
        self.store.data_mut().set_now(now);
        state::begin_call(&mut self.store);
        let called = self.plugin.llm_provider_provider().call_handle(&mut self.store, now, inputs);
        called.map_err(|error| fault(&self.store, &error))?;
        Ok(self.store.data_mut().take_effects())
    }

    /// As [`Sandbox::handle`], with the right to a core; gives back too how long it computed. While the call goes on,
    /// other tenants' may go first.
    pub(crate) fn handle_with(
        &mut self,
        permit: Permit,
        now: u64,
        inputs: &[Input],
    ) -> (Result<Vec<Effect>, PluginFault>, Duration) {
        self.store.data_mut().begin_permit(permit);
        let called = self.handle(now, inputs);
        (called, self.store.data_mut().end_permit())
    }
}

/// Whose memory and computing a sandbox's are.
pub(crate) struct Account {
    pub(crate) memory: Hold,
    pub(crate) permit: Permit,
}

/// Everything a plugin can import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    LlmProvider::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    wasi::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// The text a plugin left behind before it trapped says more than the trap.
fn fault(store: &Store<State>, error: &wasmtime::Error) -> PluginFault {
    let state = store.data();
    if let Some(fault) = state.fault() {
        return fault.clone();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            PluginFault::CallBudget { configured: state.call_budget, observed: state.started.elapsed() }
        }
        Some(trap) => PluginFault::Trapped(state.last_words().map_or_else(|| trap.to_string(), one_line)),
        None if is_data_limit(error) => PluginFault::Limit {
            limit: "call_data_bytes",
            configured: state.call_data_bytes,
            observed: state.call_data_bytes.saturating_add(1),
        },
        None => PluginFault::Trapped(one_line(error.root_cause())),
    }
}

/// wasmtime has no type for this one: its text is all there is. A test holds on to it.
fn is_data_limit(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

fn instantiate_error(store: &Store<State>, limits: &Limits, error: &wasmtime::Error) -> TurnError {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return HostError::Limit { limit: "instances", configured: limits.instances as usize }.into();
    }
    fault(store, error).into()
}

/// Milliseconds since `start`, as a plugin sees time.
pub(crate) fn coarse(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
