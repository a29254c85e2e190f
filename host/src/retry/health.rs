//! Budget and breaker of the providers a tenant asks, and the words in which a shut breaker refuses.

use super::breaker::{Breaker, Epoch};
use super::budget::Budget;
use super::decide::{self, Decision, Situation};
use super::policy::RetryPolicy;
use crate::bindings::llm::provider::errors::{Error as ProviderError, ErrorKind, ErrorScope, Verdict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a provider is known by within its tenant: the plugin's name and version, and its configuration.
type Key = (String, String);

/// The providers of one tenant. Tenants have one each: what one does to a provider is no reason to refuse another.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    health: BTreeMap<Key, (u64, Arc<Health>)>,
    /// Counts what was asked for: the smallest number was not asked for the longest.
    asked: u64,
}

impl Registry {
    /// The state of a provider; of a new one when it is not known. Keeps at most `limit`: the one whose last instance was
    /// made longest ago is forgotten first, and those that still have an instance last.
    pub(crate) fn of(&self, plugin: String, config: &str, limit: usize) -> Arc<Health> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked += 1;
        let (asked, key) = (known.asked, (plugin, config.to_owned()));
        if let Some((last, health)) = known.health.get_mut(&key) {
            *last = asked;
            return Arc::clone(health);
        }
        while known.health.len() >= limit.max(1) {
            let age = |(last, health): &(u64, Arc<Health>)| (Arc::strong_count(health) > 1, *last);
            let oldest = known.health.iter().min_by_key(|(_, entry)| age(entry)).map(|(key, _)| key.clone());
            oldest.and_then(|key| known.health.remove(&key));
        }
        let health = Arc::new(Health { began: Instant::now(), state: Mutex::default() });
        known.health.insert(key, (asked, Arc::clone(&health)));
        health
    }
}

/// How a provider does, as far as its tenant has seen.
#[derive(Debug)]
pub(crate) struct Health {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    budget: Budget,
    breaker: Breaker,
    /// The last failure that counted.
    last: Option<ProviderError>,
}

/// An attempt that may be made, and whose outcome is awaited. One that is dropped says nothing.
#[derive(Debug)]
pub(super) struct Admission {
    health: Arc<Health>,
    policy: RetryPolicy,
    epoch: Epoch,
    answers: bool,
}

impl Health {
    /// Asks for an attempt; `first` when it is its turn's first.
    ///
    /// # Errors
    /// The provider is left alone for now; the error says until when.
    pub(super) fn admit(
        self: &Arc<Self>,
        policy: &RetryPolicy,
        now: Instant,
        first: bool,
    ) -> Result<Admission, ProviderError> {
        let (mut state, now) = self.at(now);
        let permit = policy.breaker.map(|breaker| state.breaker.permit(now, &breaker)).transpose();
        let epoch = permit.map_err(|after| shut(state.last.as_ref(), after))?.unwrap_or_default();
        if first && policy.budget.is_some() {
            state.budget.request(now);
        }
        Ok(Admission { health: Arc::clone(self), policy: *policy, epoch, answers: false })
    }

    fn at(&self, now: Instant) -> (MutexGuard<'_, State>, Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state, now.saturating_duration_since(self.began))
    }
}

impl Admission {
    /// The answer has begun.
    pub(super) fn answers(&mut self) {
        if !self.answers {
            self.answers = true;
            if self.policy.breaker.is_some() {
                self.health.at(self.health.began).0.breaker.answers(self.epoch);
            }
        }
    }

    /// The turn was answered.
    pub(super) fn succeeded(self, now: Instant) {
        let (mut state, now) = self.health.at(now);
        if self.policy.breaker.is_some() {
            state.breaker.succeeded(self.epoch, now);
        }
    }

    /// The attempt failed. Decides what is done about it; a retry is taken from the budget. `situation` is what is known
    /// apart from budget and breaker.
    pub(super) fn failed(self, now: Instant, situation: Situation<'_>) -> Decision {
        let (mut state, now) = self.health.at(now);
        let error = situation.error;
        if let Some(breaker) = &self.policy.breaker
            && decide::tells_health(error.kind)
            && !of_one_model(error)
        {
            let hint = error.retry_after.map(Duration::from_millis);
            state.breaker.failed(self.epoch, now, hint, breaker);
            state.last = Some(remembered(error));
        }
        let shut_for = self.policy.breaker.and_then(|breaker| state.breaker.shut_for(now, &breaker));
        let budget = self.policy.budget.is_none_or(|budget| state.budget.allows(now, &budget));
        let decision = decide::decide(&self.policy, &Situation { budget, shut_for, ..situation });
        if matches!(decision, Decision::Retry { .. }) && self.policy.budget.is_some() {
            state.budget.spend(now);
        }
        drop(state);
        decision
    }
}

impl Drop for Admission {
    /// After an outcome this changes nothing: the breaker has gone on to its next phase.
    fn drop(&mut self) {
        if self.policy.breaker.is_some() {
            self.health.at(self.health.began).0.breaker.released(self.epoch);
        }
    }
}

/// A model that another one stands in for says nothing of the provider, whose other models may do well.
fn of_one_model(error: &ProviderError) -> bool {
    error.scope == ErrorScope::Model && error.verdict == Verdict::SwitchModel
}

/// Characters of a failure's message that are kept.
const REMEMBERED: usize = 300;

fn remembered(error: &ProviderError) -> ProviderError {
    let message = error.message.chars().take(REMEMBERED).collect();
    ProviderError { message, hint: None, provider_code: None, provider_request_id: None, ..error.clone() }
}

/// Nothing was asked, since the last requests failed. The kind of the last failure is kept: it is what is wrong.
fn shut(last: Option<&ProviderError>, after: Duration) -> ProviderError {
    let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1);
    let why = last.map_or_else(|| "no answer".to_owned(), |error| error.message.clone());
    let seconds = after.as_secs_f64();
    ProviderError {
        kind: last.map_or(ErrorKind::Internal, |error| error.kind),
        message: format!("the provider was not asked, because its last requests failed: {why}"),
        hint: Some(format!("it is left alone for another {seconds:.1} s; ask again then")),
        scope: last.map_or(ErrorScope::Model, |error| error.scope),
        http_status: last.and_then(|error| error.http_status),
        provider_code: None,
        provider_request_id: None,
        retry_after: Some(ms),
        request_sent: false,
        output_seen: false,
        tools_ran: false,
        verdict: Verdict::RetryAfter(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::tests::error;

    fn health() -> Arc<Health> {
        Registry::default().of("p 1".into(), "{}", 8)
    }

    fn admit(health: &Arc<Health>) -> Result<Admission, ProviderError> {
        health.admit(&RetryPolicy::standard(), health.began, true)
    }

    fn situation(error: &ProviderError) -> Situation<'_> {
        let (attempts, retries, remaining, draw) = (1, 0, Duration::from_secs(600), 0);
        Situation { error, cancelled: false, attempts, retries, remaining, budget: true, shut_for: None, draw }
    }

    fn fail(health: &Arc<Health>, error: &ProviderError) -> Decision {
        admit(health).expect("admitted").failed(health.began, situation(error))
    }

    #[test]
    fn a_shut_provider_is_refused_at_once_with_the_time_to_come_back() {
        let health = health();
        let overloaded = error(ErrorKind::Overloaded, Verdict::Surface);
        let told = ProviderError { http_status: Some(503), request_sent: true, ..overloaded };
        for _ in 0..5 {
            fail(&health, &told);
        }
        let begin = Instant::now();
        let refused = admit(&health).expect_err("shut");
        assert!(begin.elapsed() < Duration::from_millis(5), "{:?}", begin.elapsed());
        assert_eq!((refused.kind, refused.http_status), (ErrorKind::Overloaded, Some(503)));
        assert_eq!((refused.retry_after, refused.verdict), (Some(10_000), Verdict::RetryAfter(10_000)));
        assert!(!refused.request_sent && refused.hint.is_some_and(|hint| hint.contains("10.0 s")));
        assert!(refused.message.contains("as the test has it"), "{}", refused.message);
        let later = health.began + Duration::from_secs(10);
        assert!(health.admit(&RetryPolicy::standard(), later, true).is_ok());
        let off = health.admit(&RetryPolicy::off(), health.began, true);
        assert!(off.is_ok(), "an engine with its own loop has its own breaker");
    }

    #[test]
    fn failures_of_the_asker_shut_nobody_out() {
        let health = health();
        for kind in [ErrorKind::InvalidRequest, ErrorKind::Authentication, ErrorKind::Cancelled, ErrorKind::Sidecar] {
            for _ in 0..10 {
                fail(&health, &error(kind, Verdict::Surface));
            }
        }
        assert!(admit(&health).is_ok());
        for kind in [ErrorKind::Transport, ErrorKind::Timeout, ErrorKind::RateLimit, ErrorKind::Internal] {
            let health = self::health();
            for _ in 0..5 {
                fail(&health, &error(kind, Verdict::Surface));
            }
            assert!(admit(&health).is_err(), "{kind:?}");
        }
    }

    #[test]
    fn a_model_that_another_stands_in_for_shuts_out_no_other() {
        let health = health();
        let overloaded = error(ErrorKind::Overloaded, Verdict::SwitchModel);
        for _ in 0..10 {
            fail(&health, &ProviderError { scope: ErrorScope::Model, ..overloaded.clone() });
        }
        assert!(admit(&health).is_ok());
        for _ in 0..5 {
            fail(&health, &ProviderError { scope: ErrorScope::Global, ..overloaded.clone() });
        }
        assert!(admit(&health).is_err(), "the provider itself");
    }

    #[test]
    fn retries_are_taken_from_the_budget() {
        let health = health();
        let told = error(ErrorKind::Sidecar, Verdict::RetryNow);
        let decisions: Vec<Decision> = (0..4).map(|_| fail(&health, &told)).collect();
        assert!(decisions[..3].iter().all(|decision| matches!(decision, Decision::Retry { .. })), "{decisions:?}");
        assert_eq!(decisions[3], Decision::Surface(decide::Why::BudgetSpent));
    }

    #[test]
    fn an_attempt_that_is_dropped_gives_its_probe_back() {
        let health = health();
        for _ in 0..5 {
            fail(&health, &error(ErrorKind::Transport, Verdict::Surface));
        }
        let later = health.began + Duration::from_secs(10);
        let admit = || health.admit(&RetryPolicy::standard(), later, true);
        let probe = admit().expect("the probe");
        assert!(admit().is_err());
        drop(probe);
        let mut probe = admit().expect("another");
        probe.answers();
        assert!(admit().is_ok(), "it answers");
    }

    #[test]
    fn the_number_of_providers_is_bounded_and_tenants_share_none() {
        let (registry, other) = (Registry::default(), Registry::default());
        let of = |config: &str| registry.of("p 1".into(), config, 2);
        let (a, b) = (of("a"), of("b"));
        assert!(Arc::ptr_eq(&a, &of("a")) && !Arc::ptr_eq(&a, &other.of("p 1".into(), "a", 2)));
        drop(b);
        drop(of("c"));
        assert_eq!(registry.0.lock().expect("no panic").health.len(), 2);
        assert!(Arc::ptr_eq(&a, &of("a")), "what is in use stays");
    }
}
