//! The timers of an instance: the plugin's and the host's own, in one queue.

use crate::bindings::llm::provider::types::{QueryId, TurnId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    /// The plugin asked for it.
    Plugin(u64),
    /// A turn has run as long as it may.
    TurnDeadline(TurnId),
    /// A plugin has had the time it may take to end a cancelled turn.
    CancelGrace(TurnId),
    /// A question about the provider has waited as long as it may.
    QueryDeadline(QueryId),
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Instant, TimerKey)>,
    running: BTreeMap<TimerKey, Instant>,
}

impl Timers {
    /// Starts or moves a timer of this length. One that lies beyond what a clock can tell never fires.
    pub(crate) fn start(&mut self, key: TimerKey, after: Duration) {
        self.set(key, Instant::now().checked_add(after));
    }

    /// Starts or moves a timer. One without a moment never fires.
    pub(crate) fn set(&mut self, key: TimerKey, at: Option<Instant>) {
        self.clear(key);
        let Some(at) = at else { return };
        self.running.insert(key, at);
        self.due.insert((at, key));
    }

    pub(crate) fn clear(&mut self, key: TimerKey) {
        if let Some(at) = self.running.remove(&key) {
            self.due.remove(&(at, key));
        }
    }

    /// Gives the plugin longer to end cancelled turns.
    pub(crate) fn postpone_graces(&mut self, by: Duration) {
        let all = TimerKey::CancelGrace(0)..=TimerKey::CancelGrace(u64::MAX);
        let running: Vec<_> = self.running.range(all).map(|(key, at)| (*key, at.checked_add(by))).collect();
        running.into_iter().for_each(|(key, at)| self.set(key, at));
    }

    /// How many the plugin has.
    pub(crate) fn of_plugin(&self) -> usize {
        self.running.range(TimerKey::Plugin(0)..=TimerKey::Plugin(u64::MAX)).count()
    }

    pub(crate) fn runs(&self, key: TimerKey) -> bool {
        self.running.contains_key(&key)
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes those that are due, in order.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<TimerKey> {
        let mut fired = Vec::new();
        while let Some((at, key)) = self.due.first().copied() {
            if at > now {
                break;
            }
            self.due.pop_first();
            self.running.remove(&key);
            fired.push(key);
        }
        fired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_can_be_moved_and_cleared() {
        let start = Instant::now();
        let at = |ms| start.checked_add(Duration::from_millis(ms));
        let mut timers = Timers::default();
        timers.set(TimerKey::Plugin(1), at(30));
        timers.set(TimerKey::Plugin(2), at(10));
        timers.set(TimerKey::Plugin(1), at(5));
        timers.set(TimerKey::Plugin(3), at(1));
        timers.clear(TimerKey::Plugin(3));
        timers.start(TimerKey::Plugin(4), Duration::MAX);
        assert_eq!((timers.next(), timers.of_plugin()), (at(5), 2));
        assert_eq!(timers.take_due(at(20).expect("soon")), [TimerKey::Plugin(1), TimerKey::Plugin(2)]);
        assert_eq!((timers.next(), timers.of_plugin()), (None, 0));
    }

    #[test]
    fn graces_are_postponed_and_nothing_else() {
        let start = Instant::now();
        let at = |ms| start.checked_add(Duration::from_millis(ms));
        let mut timers = Timers::default();
        timers.set(TimerKey::CancelGrace(1), at(5));
        timers.set(TimerKey::Plugin(1), at(10));
        timers.postpone_graces(Duration::from_millis(20));
        assert_eq!(timers.take_due(at(24).expect("soon")), [TimerKey::Plugin(1)]);
        assert_eq!(timers.next(), at(25));
    }
}
