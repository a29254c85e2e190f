//! Two counters over the recent past.

use std::time::Duration;

/// A window moves on by a tenth of itself: what is counted is at most that much older than it should be.
const SLOTS: usize = 10;
/// Half a minute. Turns last seconds to minutes: ten seconds, as is usual for requests of milliseconds, would hold one
/// turn of a person, and a minute still blames a provider for what is long over.
pub(super) type HalfMinute = Window<3_000>;
/// A second: what a burst is.
pub(super) type Second = Window<100>;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which slot since the beginning of time.
    number: u64,
    counts: Counts,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Of everything.
    pub(super) all: u64,
    /// Of what it is measured against: retries, failures.
    pub(super) marked: u64,
}

/// Counts of the last ten slots of so many milliseconds each. Of a fixed size, however much is counted. Times never go
/// back.
#[derive(Debug, Default)]
pub(super) struct Window<const SLOT_MS: u64>([Slot; SLOTS]);

impl<const SLOT_MS: u64> Window<SLOT_MS> {
    /// Adds to the counts.
    pub(super) fn add(&mut self, now: Duration, counts: Counts) {
        let number = Self::number(now);
        let slots = SLOTS as u64;
        let Some(slot) = usize::try_from(number % slots).ok().and_then(|at| self.0.get_mut(at)) else { return };
        if slot.number != number {
            *slot = Slot { number, counts: Counts::default() };
        }
        slot.counts.all += counts.all;
        slot.counts.marked += counts.marked;
    }

    /// The sums over the window.
    pub(super) fn sums(&self, now: Duration) -> Counts {
        let oldest = (Self::number(now) + 1).saturating_sub(SLOTS as u64);
        let recent = self.0.iter().filter(|slot| slot.number >= oldest).map(|slot| slot.counts);
        recent.fold(Counts::default(), |sum, counts| Counts {
            all: sum.all + counts.all,
            marked: sum.marked + counts.marked,
        })
    }

    fn number(now: Duration) -> u64 {
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX - 1) / SLOT_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_secs(30);
    const ONE: Counts = Counts { all: 1, marked: 0 };

    proptest! {
        /// Everything of the last nine tenths is counted, and nothing older than the window.
        #[test]
        fn counts_the_window_and_nothing_else(steps in prop::collection::vec(0_u64..9_000, 1..200)) {
            let (mut window, mut times, mut now) = (HalfMinute::default(), Vec::new(), Duration::ZERO);
            for step in steps {
                now += Duration::from_millis(step);
                window.add(now, ONE);
                times.push(now);
                let within = |span: Duration| times.iter().filter(|time| now - **time <= span).count() as u64;
                let counted = window.sums(now).all;
                prop_assert!(counted >= within(WINDOW * 9 / 10) && counted <= within(WINDOW), "{counted} at {now:?}");
            }
            prop_assert_eq!(window.sums(now + WINDOW).all, 0);
        }
    }
}
