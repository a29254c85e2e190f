//! How many retries a provider gets.

use super::policy::BudgetPolicy;
use super::window::{Counts, HalfMinute, Second};
use std::time::Duration;

/// What was asked of a provider lately. One for each provider of a tenant, never shared between tenants: one tenant's
/// trouble must not use up another's retries.
///
/// The share holds over half a minute *and* over the last second: otherwise what a quiet half minute has saved up would
/// be spent in one burst, at the moment the provider is in trouble.
#[derive(Debug, Default)]
pub(super) struct Budget {
    half_minute: HalfMinute,
    second: Second,
}

impl Budget {
    /// Notes a turn's first attempt.
    pub(super) fn request(&mut self, now: Duration) {
        self.add(now, Counts { all: 1, marked: 0 });
    }

    /// Whether another retry fits.
    pub(super) fn allows(&self, now: Duration, policy: &BudgetPolicy) -> bool {
        [self.half_minute.sums(now), self.second.sums(now)].into_iter().all(|Counts { all, marked }| {
            let allowed = u64::from(policy.floor) * 100 + all.saturating_mul(u64::from(policy.percent));
            (marked + 1) * 100 <= allowed
        })
    }

    /// Notes a retry.
    pub(super) fn spend(&mut self, now: Duration) {
        self.add(now, Counts { all: 0, marked: 1 });
    }

    fn add(&mut self, now: Duration, counts: Counts) {
        self.half_minute.add(now, counts);
        self.second.add(now, counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::policy::RetryPolicy;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_secs(30);

    fn policy() -> BudgetPolicy {
        RetryPolicy::standard().budget.expect("a budget")
    }

    fn spend_all(budget: &mut Budget, now: Duration) -> usize {
        let mut spent = 0;
        while budget.allows(now, &policy()) {
            budget.spend(now);
            spent += 1;
        }
        spent
    }

    #[test]
    fn the_floor_and_a_fifth() {
        let mut budget = Budget::default();
        assert_eq!(spend_all(&mut budget, Duration::ZERO), 3, "the floor, without any request");
        let mut budget = Budget::default();
        (0..100).for_each(|_| budget.request(Duration::ZERO));
        assert_eq!(spend_all(&mut budget, Duration::ZERO), 23);
        assert!(!budget.allows(WINDOW * 8 / 10, &policy()), "what was spent counts for half a minute");
        assert_eq!(spend_all(&mut budget, WINDOW * 2), 3, "and no longer; nor do the requests");
    }

    #[test]
    fn a_quiet_half_minute_is_not_spent_in_one_burst() {
        let mut budget = Budget::default();
        let at = |ms| Duration::from_millis(ms);
        (0..20_000).step_by(10).for_each(|ms| budget.request(at(ms)));
        assert_eq!(spend_all(&mut budget, at(20_000)), 3 + 18, "a fifth of the last second's, not of 2,000");
    }

    proptest! {
        /// Whatever comes when: a retry is allowed only while retries are at most a fifth of the requests and three.
        #[test]
        fn never_more_than_the_share(steps in prop::collection::vec((0_u64..2_000, any::<bool>()), 1..300)) {
            let (mut budget, mut now) = (Budget::default(), Duration::ZERO);
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (step, retry) in steps {
                now += Duration::from_millis(step);
                if !retry {
                    budget.request(now);
                    requests.push(now);
                } else if budget.allows(now, &policy()) {
                    budget.spend(now);
                    retries.push(now);
                    let within = |times: &[Duration], span| times.iter().filter(|time| now - **time <= span).count();
                    let (spent, asked) = (within(&retries, WINDOW * 9 / 10), within(&requests, WINDOW));
                    prop_assert!(spent * 100 <= 300 + asked * 20, "{spent} of {asked}");
                }
            }
        }
    }
}
