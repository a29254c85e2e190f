//! What the host keeps for an instance while its code runs.

use super::Account;
use super::budget::{self, FirstLook};
use super::limiter::Limiter;
use super::wasi::Wasi;
use crate::bindings::llm::provider::log::Level;
use crate::cpu::Permit;
use crate::effect::Effect;
use crate::error::PluginFault;
use crate::limits::Limits;
use crate::ticker::Ticker;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::Store;

/// Calls of honest plugins take microseconds. To suspend one costs two switches of threads, some tens of microseconds.
const SHORT: Duration = Duration::from_micros(200);

/// The data of a store.
pub(crate) struct State {
    pub(super) limiter: Limiter,
    /// When the running call began.
    pub(super) started: Instant,
    /// The call when it was first looked at.
    pub(super) looked: Option<FirstLook>,
    pub(super) call_budget: Duration,
    pub(super) call_data_bytes: usize,
    pub(super) wasi: Wasi,
    /// The core the running call has, when it must share it.
    permit: Option<Permit>,
    ticker: Arc<Ticker>,
    max_effects: usize,
    effects: Vec<Effect>,
    /// What they hold together.
    effect_bytes: usize,
    fault: Option<PluginFault>,
}

impl State {
    pub(super) fn new(limits: &Limits, seed: u64, ticker: Arc<Ticker>, account: Option<Account>) -> Self {
        let (memory, permit) = account.map(|account| (account.memory, account.permit.begun())).unzip();
        Self {
            limiter: Limiter::new(limits, memory),
            permit,
            ticker,
            started: Instant::now(),
            looked: None,
            call_budget: limits.call_budget,
            call_data_bytes: limits.call_data_bytes,
            wasi: Wasi::new(seed),
            max_effects: limits.call_effects,
            effects: Vec::new(),
            effect_bytes: 0,
            fault: None,
        }
    }

    /// Keeps the ticker going, which makes this call look at its deadline.
    pub(super) fn beat(&self) {
        self.ticker.beat();
    }

    /// Whether the call has hardly begun: it will be over sooner than another could take its place.
    pub(super) fn is_short(&self) -> bool {
        self.started.elapsed() < SHORT
    }

    /// From here on the core is held for this call: the wait for a thread was not its doing.
    pub(super) fn begin_permit(&mut self, mut permit: Permit) {
        permit.begin();
        self.permit = Some(permit);
    }

    /// Gives the core back, and says how long it was used.
    pub(super) fn end_permit(&mut self) -> Duration {
        let spent = budget::spent(self.held(), self.looked);
        self.permit = None;
        spent
    }

    /// How long the core was held so far, without the waits in between.
    pub(super) fn held(&self) -> Duration {
        self.permit.as_ref().map_or(Duration::ZERO, Permit::computed)
    }

    /// Lets another tenant's call go first, if one should. What was waited is no part of the call.
    pub(super) fn share_core(&mut self) {
        if let Some(permit) = &mut self.permit {
            let waited = permit.tick();
            self.started += waited;
        }
    }

    pub(super) fn set_now(&self, now: u64) {
        self.wasi.set_now(now);
    }

    /// Keeps an effect for after the call.
    pub(super) fn push(&mut self, effect: Effect) -> wasmtime::Result<()> {
        let (count, bytes) = (self.effects.len() + 1, self.effect_bytes.saturating_add(effect.bytes()));
        if count > self.max_effects {
            return Err(self.limit("call_effects", self.max_effects, count));
        }
        // Each call of an import is bounded by the engine; this bounds all of them together.
        if bytes > self.call_data_bytes {
            return Err(self.limit("call_data_bytes", self.call_data_bytes, bytes));
        }
        self.effects.push(effect);
        self.effect_bytes = bytes;
        Ok(())
    }

    fn limit(&mut self, limit: &'static str, configured: usize, observed: usize) -> wasmtime::Error {
        let fault = PluginFault::Limit { limit, configured, observed };
        self.fault = Some(fault.clone());
        wasmtime::Error::new(fault)
    }

    /// The effects of the call that has ended, with what a WASI plugin printed.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        self.effect_bytes = 0;
        let mut effects = std::mem::take(&mut self.effects);
        effects.extend(self.wasi.take_lines().into_iter().map(|line| Effect::Log(Level::Info, line)));
        effects
    }

    pub(super) fn fault(&self) -> Option<&PluginFault> {
        self.fault.as_ref().or(self.limiter.refused())
    }

    /// The last error the plugin logged in this call, or else what it printed: a panic hook's text.
    pub(super) fn last_words(&self) -> Option<String> {
        let logged = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Log(Level::Error, text) => Some(text.clone()),
            _ => None,
        });
        logged.or_else(|| self.wasi.printed()).filter(|text| !text.trim().is_empty())
    }
}

/// Starts the clock of a call.
pub(super) fn begin_call(store: &mut Store<State>) {
    let state = store.data_mut();
    state.beat();
    (state.started, state.looked) = (Instant::now(), None);
    store.set_epoch_deadline(1);
}
