//! What an instance may do over time: compute for its turns, and ask the host for effects. A call's own bounds are
//! [`Limits::call_budget`] and [`Limits::call_effects`]; a plugin that keeps to these in each of many calls meets these here.

use crate::effect::Effect;
use crate::error::PluginFault;
use crate::limits::Limits;
use std::time::{Duration, Instant};

/// What an instance may still compute: so much for each turn or question that is open, and as much between them.
#[derive(Debug)]
pub(super) struct Budget {
    each: Duration,
    left: Duration,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { each: limits.turn_budget, left: limits.turn_budget }
    }

    /// A turn or a question has begun; so many are open with it.
    pub(super) fn begin(&mut self, open: usize) {
        self.left = self.left.saturating_add(self.each).min(self.most(open));
    }

    /// Takes what a call computed. What ended turns left over is gone.
    pub(super) fn spend(&mut self, computed: Duration, open: usize) -> Result<(), PluginFault> {
        let left = self.left.min(self.most(open)).checked_sub(computed);
        self.left = left.ok_or(PluginFault::TurnBudget { configured: self.each, open })?;
        Ok(())
    }

    fn most(&self, open: usize) -> Duration {
        self.each.saturating_mul(u32::try_from(open).unwrap_or(u32::MAX).saturating_add(1))
    }
}

/// How fast effects come: events apart from the others, of which there are few.
#[derive(Debug)]
pub(super) struct Pace {
    events: Bucket,
    others: Bucket,
}

impl Pace {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let bucket = |per_second| Bucket { per_second, left: per_second, filled: now };
        Self { events: bucket(limits.events_per_second), others: bucket(limits.effects_per_second) }
    }

    /// Takes an effect's place, or says when to ask again.
    pub(super) fn take(&mut self, effect: &Effect) -> Result<(), Instant> {
        match effect {
            Effect::Event(..) => self.events.take(Instant::now),
            _ => self.others.take(Instant::now),
        }
    }
}

/// Holds what a second gives, and is filled again when it is empty: what came meanwhile, and at most what it holds. So nobody
/// takes more at once than two seconds give.
#[derive(Debug)]
struct Bucket {
    per_second: usize,
    left: usize,
    filled: Instant,
}

impl Bucket {
    /// How long an empty one waits to be filled: short for a reader, long beside the time it takes to wake up.
    const WAIT: Duration = Duration::from_millis(10);

    /// The clock is read only when it is empty: most effects take nothing but a place.
    fn take(&mut self, now: impl FnOnce() -> Instant) -> Result<(), Instant> {
        if self.left == 0 {
            let now = now();
            let since = now.saturating_duration_since(self.filled);
            if since < Self::WAIT {
                return Err(self.filled + Self::WAIT);
            }
            let come = since.as_micros().saturating_mul(self.per_second as u128) / 1_000_000;
            self.left = usize::try_from(come).unwrap_or(usize::MAX).clamp(1, self.per_second.max(1));
            self.filled = now;
        }
        self.left -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EACH: Duration = Duration::from_secs(1);

    fn budget() -> Budget {
        Budget { each: EACH, left: EACH }
    }

    #[test]
    fn a_turn_has_its_own_and_what_is_between_turns() {
        let mut budget = budget();
        budget.begin(1);
        budget.spend(Duration::from_millis(1_900), 1).expect("two seconds");
        let fault = budget.spend(Duration::from_millis(200), 1).expect_err("beyond");
        assert_eq!(fault, PluginFault::TurnBudget { configured: EACH, open: 1 });
    }

    #[test]
    fn nothing_is_saved_up() {
        let mut budget = budget();
        (0..100).for_each(|_| budget.begin(1));
        budget.spend(Duration::ZERO, 0).expect("nothing");
        assert!(
            budget.spend(Duration::from_millis(1_001), 0).is_err(),
            "a hundred quiet turns give nothing to the next"
        );
    }

    #[test]
    fn many_turns_have_many_times_as_much() {
        let mut budget = budget();
        (1..=10).for_each(|open| budget.begin(open));
        budget.spend(Duration::from_secs(11), 10).expect("eleven seconds");
        assert!(budget.spend(Duration::from_millis(1), 10).is_err());
    }

    #[test]
    fn a_rate_of_nothing_still_lets_something_through() {
        let start = Instant::now();
        let mut bucket = Bucket { per_second: 0, left: 0, filled: start };
        let later = start + Bucket::WAIT;
        assert_eq!(bucket.take(|| start), Err(later));
        assert_eq!((bucket.take(|| later), bucket.take(|| later)), (Ok(()), Err(later + Bucket::WAIT)));
    }

    proptest! {
        /// However one asks: in no time more than it gives, and a second's worth besides.
        #[test]
        fn no_more_than_its_rate(per_second in 1_usize..100_000, steps in prop::collection::vec((0_u64..200, 0_usize..5_000), 1..50)) {
            let start = Instant::now();
            let mut bucket = Bucket { per_second, left: per_second, filled: start };
            let (mut now, mut taken) = (start, 0_usize);
            for (wait, wanted) in steps {
                now += Duration::from_millis(wait);
                taken += (0..wanted).take_while(|_| bucket.take(|| now).is_ok()).count();
            }
            let micros = (now - start).as_micros() as usize;
            let rounding = micros / 10_000 + 1;
            prop_assert!(taken <= per_second + per_second * micros / 1_000_000 + rounding, "{taken}");
        }
    }
}
