//! When a provider is left alone.

use super::policy::BreakerPolicy;
use super::window::{Counts, HalfMinute};
use std::time::Duration;

/// When to come back while a probe is under way: it may have told by then.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// Leaves a provider alone that is down: *closed* while it works; *open* after too many failures, when nothing is asked;
/// then *half-open*, when one request probes it. One for each provider of a tenant.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    phase: Phase,
    /// Counts openings and probes. What was asked before the last of them says nothing about now.
    epoch: Epoch,
    consecutive: u32,
    outcomes: HalfMinute,
    /// How often it opened without closing in between.
    openings: u32,
}

/// Which time of the breaker's life a request belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Epoch(u64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Closed,
    /// Nothing is asked until then; the first request after it is the probe.
    Open { until: Duration },
    /// A request is out whose outcome decides.
    Probing { since: Duration },
}

impl Breaker {
    /// Asks whether a request may go out, which then belongs to the epoch.
    ///
    /// # Errors
    /// When to come back.
    pub(super) fn permit(&mut self, now: Duration, policy: &BreakerPolicy) -> Result<Epoch, Duration> {
        if let Some(after) = self.shut_for(now, policy) {
            return Err(after);
        }
        if self.phase != Phase::Closed {
            self.enter(Phase::Probing { since: now });
        }
        Ok(self.epoch)
    }

    /// How long nothing may be asked; `None` when something may. A probe that tells nothing for the longest cool-down is
    /// overtaken by another.
    pub(super) fn shut_for(&self, now: Duration, policy: &BreakerPolicy) -> Option<Duration> {
        match self.phase {
            Phase::Open { until } => until.checked_sub(now).filter(|left| !left.is_zero()),
            Phase::Probing { since } => (now < since + policy.longest_cool_down).then_some(PROBE_PATIENCE),
            Phase::Closed => None,
        }
    }

    /// The answer began: the provider is up, however long the rest takes.
    pub(super) fn answers(&mut self, of: Epoch) {
        if of == self.epoch && matches!(self.phase, Phase::Probing { .. }) {
            *self = Self { epoch: self.epoch, ..Self::default() };
        }
    }

    /// The request was answered.
    pub(super) fn succeeded(&mut self, of: Epoch, now: Duration) {
        self.answers(of);
        if of == self.epoch && self.phase == Phase::Closed {
            self.consecutive = 0;
            self.outcomes.add(now, Counts { all: 1, marked: 0 });
        }
    }

    /// The request failed in a way that says something of the provider's health, which may have asked to be left alone.
    pub(super) fn failed(&mut self, of: Epoch, now: Duration, hint: Option<Duration>, policy: &BreakerPolicy) {
        if of != self.epoch {
            return;
        }
        match self.phase {
            Phase::Open { .. } => {}
            Phase::Probing { .. } => self.open(now, hint, policy),
            Phase::Closed => {
                self.consecutive = self.consecutive.saturating_add(1);
                self.outcomes.add(now, Counts { all: 1, marked: 1 });
                let Counts { all, marked } = self.outcomes.sums(now);
                let share = all >= u64::from(policy.of_at_least) && marked * 100 >= all * u64::from(policy.percent);
                if share || self.consecutive >= policy.consecutive {
                    self.open(now, hint, policy);
                }
            }
        }
    }

    /// The request ended in a way that says nothing: the next one probes instead.
    pub(super) fn released(&mut self, of: Epoch) {
        if let Phase::Probing { since } = self.phase
            && of == self.epoch
        {
            self.enter(Phase::Open { until: since });
        }
    }

    fn open(&mut self, now: Duration, hint: Option<Duration>, policy: &BreakerPolicy) {
        let doubled = policy.cool_down.saturating_mul(1 << self.openings.min(16));
        let cool_down = hint.unwrap_or(doubled).min(policy.longest_cool_down);
        self.openings = self.openings.saturating_add(1);
        self.enter(Phase::Open { until: now + cool_down });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch = Epoch(self.epoch.0.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::policy::RetryPolicy;
    use proptest::prelude::*;

    const S: Duration = Duration::from_secs(1);

    fn policy() -> BreakerPolicy {
        RetryPolicy::standard().breaker.expect("a breaker")
    }

    fn permit(breaker: &mut Breaker, now: Duration) -> Epoch {
        breaker.permit(now, &policy()).expect("a permit")
    }

    fn fail(breaker: &mut Breaker, now: Duration, hint: Option<Duration>) {
        let of = permit(breaker, now);
        breaker.failed(of, now, hint, &policy());
    }

    fn opened(hint: Option<Duration>) -> Breaker {
        let mut breaker = Breaker::default();
        (0..5).for_each(|_| fail(&mut breaker, S, hint));
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = Breaker::default();
        for at in 0..9 {
            let of = permit(&mut breaker, S);
            if at == 4 { breaker.succeeded(of, S) } else { breaker.failed(of, S, None, &policy()) }
        }
        // Nine outcomes are too few for the share, and four in a row for the row.
        fail(&mut breaker, S * 40, None);
        assert_eq!(breaker.permit(S * 40, &policy()), Err(S * 10));
        assert_eq!(opened(None).permit(S * 2, &policy()), Err(S * 9), "ten seconds from the fifth failure");
    }

    #[test]
    fn half_of_ten_within_the_window_open_it() {
        let mut breaker = Breaker::default();
        for at in 0..10 {
            let of = permit(&mut breaker, S);
            if at % 2 == 0 { breaker.succeeded(of, S) } else { breaker.failed(of, S, None, &policy()) }
        }
        assert!(breaker.permit(S, &policy()).is_err());
        let mut breaker = Breaker::default();
        for at in 0..20_u32 {
            let now = S * at * 5;
            let of = permit(&mut breaker, now);
            if at % 2 == 0 { breaker.succeeded(of, now) } else { breaker.failed(of, now, None, &policy()) }
        }
        assert_eq!(breaker.shut_for(S * 100, &policy()), None, "not ten within half a minute");
    }

    #[test]
    fn the_cool_down_doubles_up_to_two_minutes_and_closing_forgets_it() {
        let mut breaker = opened(None);
        let mut now = S;
        for wait in [10, 20, 40, 80, 120, 120] {
            assert_eq!(breaker.permit(now, &policy()), Err(S * wait));
            now += S * wait;
            fail(&mut breaker, now, None);
        }
        now += S * 120;
        let probe = permit(&mut breaker, now);
        breaker.succeeded(probe, now);
        (0..5).for_each(|_| fail(&mut breaker, now, None));
        assert_eq!(breaker.permit(now, &policy()), Err(S * 10));
    }

    #[test]
    fn the_providers_own_time_goes_before_and_is_bounded() {
        assert_eq!(opened(Some(S * 33)).permit(S, &policy()), Err(S * 33));
        assert_eq!(opened(Some(S * 86_400)).permit(S, &policy()), Err(S * 120));
        assert!(opened(Some(Duration::ZERO)).permit(S, &policy()).is_ok(), "a probe at once");
    }

    #[test]
    fn one_probe_at_a_time_and_a_lost_one_is_replaced() {
        let mut breaker = opened(None);
        let probe = permit(&mut breaker, S * 20);
        assert_eq!(breaker.permit(S * 20, &policy()), Err(PROBE_PATIENCE));
        breaker.released(probe);
        let second = permit(&mut breaker, S * 20);
        assert!(breaker.permit(S * 139, &policy()).is_err());
        let third = permit(&mut breaker, S * 140);
        breaker.succeeded(second, S * 140);
        assert!(breaker.permit(S * 140, &policy()).is_err(), "the overtaken probe decides nothing");
        breaker.answers(third);
        assert!(breaker.permit(S * 140, &policy()).is_ok(), "an answer that begins is enough");
    }

    #[test]
    fn what_was_asked_before_it_opened_changes_nothing() {
        let mut breaker = Breaker::default();
        let early = permit(&mut breaker, S);
        (0..5).for_each(|_| fail(&mut breaker, S, None));
        breaker.succeeded(early, S * 2);
        assert_eq!(breaker.permit(S * 2, &policy()), Err(S * 9));
        breaker.failed(early, S * 10, None, &policy());
        assert!(breaker.permit(S * 11, &policy()).is_ok());
    }

    proptest! {
        /// Whatever happens when: it never stays shut beyond the longest cool-down, never has two probes out, and
        /// closes only by a probe that was answered.
        #[test]
        fn it_always_recovers(steps in prop::collection::vec((0_u64..40_000, 0_u8..5, 0_u64..200), 1..200)) {
            let policy = policy();
            let (mut breaker, mut now, mut out) = (Breaker::default(), Duration::ZERO, Vec::new());
            for (step, what, hint) in steps {
                now += Duration::from_millis(step);
                let was = breaker.phase;
                match (what, out.pop()) {
                    (0, Some(of)) => breaker.succeeded(of, now),
                    (1 | 2, Some(of)) => breaker.failed(of, now, (what == 2).then_some(S * u32::try_from(hint).unwrap()), &policy),
                    (3, Some(of)) => breaker.released(of),
                    (_, kept) => {
                        out.extend(kept);
                        match breaker.permit(now, &policy) {
                            Ok(of) => out.push(of),
                            Err(after) => prop_assert!(!after.is_zero() && after <= policy.longest_cool_down),
                        }
                    }
                }
                if was != Phase::Closed && breaker.phase == Phase::Closed {
                    prop_assert!(what == 0 && matches!(was, Phase::Probing { .. }), "{was:?}");
                }
                if matches!(breaker.phase, Phase::Probing { .. }) && breaker.phase == was {
                    prop_assert!(breaker.permit(now, &policy).is_err() || now >= S * 120);
                }
            }
            prop_assert!(breaker.permit(now + policy.longest_cool_down, &policy).is_ok());
        }
    }
}
