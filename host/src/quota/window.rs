//! What was used within the last so-and-so long, in fixed memory.

use std::time::Duration;

/// A window moves on by a twentieth of itself: what is counted is at most that much older than it should be.
const SLOTS: u64 = 20;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which slot since the beginning of time.
    number: u64,
    used: u64,
}

/// Sums over the last `length`, or over all time where that is zero. Times never go back.
#[derive(Debug)]
pub(super) struct Window {
    slot_nanos: u128,
    slots: [Slot; SLOTS as usize],
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        let slot_nanos = if length.is_zero() { u128::MAX } else { (length.as_nanos() / u128::from(SLOTS)).max(1) };
        Self { slot_nanos, slots: [Slot::default(); SLOTS as usize] }
    }

    fn number(&self, now: Duration) -> u64 {
        // From 1: the number 0 is that of slots nothing was put into.
        u64::try_from(now.as_nanos() / self.slot_nanos).unwrap_or(u64::MAX - SLOTS).saturating_add(1)
    }

    pub(super) fn add(&mut self, now: Duration, used: u64) {
        let number = self.number(now);
        let Some(slot) = usize::try_from(number % SLOTS).ok().and_then(|at| self.slots.get_mut(at)) else { return };
        if slot.number != number {
            *slot = Slot { number, used: 0 };
        }
        slot.used = slot.used.saturating_add(used);
    }

    fn recent(&self, now: Duration) -> impl Iterator<Item = &Slot> {
        let newest = self.number(now);
        self.slots.iter().filter(move |slot| slot.number > 0 && slot.number.saturating_add(SLOTS) > newest)
    }

    pub(super) fn sum(&self, now: Duration) -> u64 {
        self.recent(now).fold(0, |sum, slot| sum.saturating_add(slot.used))
    }

    /// How long until the sum is below `most`, if nothing is added; zero when it is.
    pub(super) fn until_below(&self, now: Duration, most: u64) -> Duration {
        let mut left = self.sum(now);
        if left < most {
            return Duration::ZERO;
        }
        let mut slots: Vec<Slot> = self.recent(now).copied().collect();
        slots.sort_unstable_by_key(|slot| slot.number);
        let mut leaves = 0;
        for slot in slots {
            leaves = slot.number.saturating_add(SLOTS);
            left = left.saturating_sub(slot.used);
            if left < most {
                break;
            }
        }
        // Slots are numbered from 1.
        let at = u128::from(leaves.saturating_sub(1)).saturating_mul(self.slot_nanos);
        let at = Duration::from_nanos(u64::try_from(at).unwrap_or(u64::MAX));
        at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_old_does_not_count() {
        let mut window = Window::new(20 * SECOND);
        window.add(Duration::ZERO, 5);
        window.add(10 * SECOND, 3);
        assert_eq!(window.sum(19 * SECOND), 8);
        assert_eq!(window.sum(20 * SECOND), 3);
        assert_eq!(window.sum(31 * SECOND), 0);
    }

    #[test]
    fn a_window_of_no_length_is_for_ever() {
        let mut window = Window::new(Duration::ZERO);
        window.add(Duration::ZERO, 5);
        window.add(1_000_000 * SECOND, 3);
        assert_eq!(window.sum(2_000_000 * SECOND), 8);
        assert!(window.until_below(2_000_000 * SECOND, 8) > 1_000_000 * SECOND);
    }

    #[test]
    fn the_time_to_come_back_is_when_enough_has_left() {
        let mut window = Window::new(20 * SECOND);
        window.add(Duration::ZERO, 5);
        window.add(10 * SECOND, 3);
        assert_eq!(window.until_below(12 * SECOND, 8), 8 * SECOND);
        assert_eq!(window.until_below(12 * SECOND, 3), 18 * SECOND);
        assert_eq!(window.until_below(12 * SECOND, 9), Duration::ZERO);
    }

    proptest! {
        /// Never less than the window's own sum, never more than a slot older; and who comes back when told is let in.
        #[test]
        fn sums_are_those_of_the_window(uses in prop::collection::vec((0_u64..5_000, 0_u64..100), 0..60), most in 1_u64..500) {
            let mut window = Window::new(20 * SECOND);
            let mut now = Duration::ZERO;
            let mut seen = Vec::new();
            for (after, used) in uses {
                now += Duration::from_millis(after);
                window.add(now, used);
                seen.push((now, used));
                let within = |length: Duration| -> u64 {
                    seen.iter().filter(|(at, _)| now - *at < length).map(|(_, used)| used).sum()
                };
                let sum = window.sum(now);
                prop_assert!(within(19 * SECOND) <= sum && sum <= within(20 * SECOND), "{sum}");
                prop_assert!(window.sum(now + window.until_below(now, most)) < most);
            }
        }
    }
}
