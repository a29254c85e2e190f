//! Who computes next: the tenant that has computed least. Pure; what waits is any `W`.
//!
//! Each tenant has a virtual time, the time its calls have computed. The waiting tenant with the least goes first, so that
//! one with fifty looping plugins gets no more than one with a single honest one. A tenant that was idle starts at the
//! clock, which is where the others are: sleeping saves nothing up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// A tenant in the queue.
pub(super) type ShareId = u64;

#[derive(Debug)]
struct Share<W> {
    virtual_time: Duration,
    /// Its calls that compute now.
    running: usize,
    waiting: VecDeque<W>,
}

/// A fixed number of cores, and all that want one.
#[derive(Debug)]
pub(super) struct FairQueue<W> {
    cores: usize,
    running: usize,
    /// Where tenants stand that do not sleep: the virtual time of the share that was granted last. Never goes back.
    clock: Duration,
    shares: BTreeMap<ShareId, Share<W>>,
    /// Shares with something waiting, the one that goes next first.
    order: BTreeSet<(Duration, ShareId)>,
    next_id: ShareId,
}

impl<W> FairQueue<W> {
    pub(super) fn new(cores: usize) -> Self {
        let (shares, order) = (BTreeMap::new(), BTreeSet::new());
        Self { cores: cores.max(1), running: 0, clock: Duration::ZERO, shares, order, next_id: 0 }
    }

    /// A tenant that has not computed yet.
    pub(super) fn join(&mut self) -> ShareId {
        self.next_id += 1;
        let share = Share { virtual_time: self.clock, running: 0, waiting: VecDeque::new() };
        self.shares.insert(self.next_id, share);
        self.next_id
    }

    /// Forgets a tenant; what it has waiting never gets a core. Its calls that still compute must be ended after it.
    pub(super) fn leave(&mut self, id: ShareId) {
        if let Some(share) = self.shares.remove(&id) {
            self.order.remove(&(share.virtual_time, id));
        }
    }

    /// Something wants a core. See [`FairQueue::grant`] for who gets one.
    pub(super) fn wait(&mut self, id: ShareId, waiter: W) {
        let Some(share) = self.shares.get_mut(&id) else { return };
        if share.running == 0 && share.waiting.is_empty() {
            share.virtual_time = share.virtual_time.max(self.clock);
        }
        share.waiting.push_back(waiter);
        self.order.insert((share.virtual_time, id));
    }

    /// Takes a free core at once, if nobody waits for it.
    pub(super) fn enter(&mut self, id: ShareId) -> bool {
        let free = self.running < self.cores && self.order.is_empty();
        let Some(share) = self.shares.get_mut(&id).filter(|_| free) else { return false };
        if share.running == 0 {
            share.virtual_time = share.virtual_time.max(self.clock);
        }
        share.running += 1;
        self.running += 1;
        self.clock = self.clock.max(share.virtual_time);
        true
    }

    /// The next to get a core, while one is free.
    pub(super) fn grant(&mut self) -> Option<(ShareId, W)> {
        if self.running >= self.cores {
            return None;
        }
        let (virtual_time, id) = self.order.pop_first()?;
        let share = self.shares.get_mut(&id)?;
        let waiter = share.waiting.pop_front()?;
        if !share.waiting.is_empty() {
            self.order.insert((virtual_time, id));
        }
        share.running += 1;
        self.running += 1;
        self.clock = self.clock.max(virtual_time);
        Some((id, waiter))
    }

    /// A call has computed for so long, and goes on.
    pub(super) fn charge(&mut self, id: ShareId, computed: Duration) {
        let Some(share) = self.shares.get_mut(&id) else { return };
        let was_waiting = self.order.remove(&(share.virtual_time, id));
        share.virtual_time = share.virtual_time.saturating_add(computed);
        if self.order.is_empty() && share.running == self.running {
            // Alone, it owes nobody anything: who comes now starts where it is.
            self.clock = self.clock.max(share.virtual_time);
        }
        if was_waiting {
            self.order.insert((share.virtual_time, id));
        }
    }

    /// A call gives its core back.
    pub(super) fn release(&mut self, id: ShareId) {
        self.running = self.running.saturating_sub(1);
        if let Some(share) = self.shares.get_mut(&id) {
            share.running = share.running.saturating_sub(1);
        }
    }

    /// Whether a call of this tenant should let another go first: one waits that has computed less.
    pub(super) fn should_yield(&self, id: ShareId) -> bool {
        let Some(own) = self.shares.get(&id) else { return false };
        self.order.first().is_some_and(|(next, other)| *other != id && *next < own.virtual_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICK: Duration = Duration::from_millis(10);

    /// Runs what is granted for a tick, then lets it yield as a call does. Gives back who computed, tick by tick.
    fn ticks(queue: &mut FairQueue<u32>, running: &mut Vec<(ShareId, u32)>) -> Vec<u32> {
        running.extend(std::iter::from_fn(|| queue.grant()));
        let computed = running.iter().map(|(_, call)| *call).collect();
        for (id, call) in std::mem::take(running) {
            queue.charge(id, TICK);
            if queue.should_yield(id) {
                queue.release(id);
                queue.wait(id, call);
            } else {
                running.push((id, call));
            }
        }
        computed
    }

    /// G01: fifty looping plugins of one tenant keep another waiting for a tick at most.
    #[test]
    fn g01_fifty_spinners_keep_nobody_waiting_for_more_than_a_tick() {
        let mut queue = FairQueue::new(2);
        let (evil, good) = (queue.join(), queue.join());
        (0..50).for_each(|call| queue.wait(evil, call));
        let mut running = Vec::new();
        for round in 0..100 {
            for _ in 0..3 {
                ticks(&mut queue, &mut running);
            }
            queue.wait(good, 1_000 + round);
            let first = ticks(&mut queue, &mut running);
            let second = ticks(&mut queue, &mut running);
            assert!(first.contains(&(1_000 + round)) || second.contains(&(1_000 + round)), "round {round}: {second:?}");
            let done = running.iter().position(|(id, _)| *id == good);
            if let Some(at) = done {
                running.remove(at);
                queue.release(good);
            }
        }
    }

    #[test]
    fn tenants_that_all_loop_get_equal_parts() {
        let mut queue = FairQueue::new(1);
        let shares: Vec<ShareId> = (0..5).map(|_| queue.join()).collect();
        for (at, id) in shares.iter().enumerate() {
            // The first has ten calls, the others one each.
            let calls = if at == 0 { 10 } else { 1 };
            (0..calls).for_each(|call| queue.wait(*id, u32::try_from(at).expect("few") * 100 + call));
        }
        let (mut running, mut parts) = (Vec::new(), [0_u32; 5]);
        for _ in 0..500 {
            for call in ticks(&mut queue, &mut running) {
                parts[call as usize / 100] += 1;
            }
        }
        assert!(parts.iter().all(|part| (95..=105).contains(part)), "{parts:?}");
    }

    #[test]
    fn sleeping_saves_nothing_up() {
        let mut queue = FairQueue::new(1);
        let (busy, sleeper) = (queue.join(), queue.join());
        queue.wait(busy, 0);
        let mut running = Vec::new();
        for _ in 0..1_000 {
            ticks(&mut queue, &mut running);
        }
        queue.wait(sleeper, 1);
        queue.wait(sleeper, 2);
        let computed: Vec<u32> = (0..40).flat_map(|_| ticks(&mut queue, &mut running)).collect();
        let of_busy = computed.iter().filter(|call| **call == 0).count();
        assert!((18..=22).contains(&of_busy), "equal parts from now on: {computed:?}");
    }

    proptest! {
        /// Never more than the cores, never a core idle while somebody waits, nobody lost.
        #[test]
        fn cores_are_neither_idle_nor_oversold(cores in 1_usize..4, steps in prop::collection::vec((0_u8..4, 0_usize..6), 1..200)) {
            let mut queue = FairQueue::new(cores);
            let shares: Vec<ShareId> = (0..6).map(|_| queue.join()).collect();
            let (mut running, mut asked, mut done, mut number) = (Vec::new(), 0, 0, 0_u32);
            for (what, at) in steps {
                match what {
                    0 | 1 => { number += 1; asked += 1; queue.wait(shares[at], number); }
                    2 if !running.is_empty() => {
                        let (id, _) = running.remove(at % running.len());
                        queue.charge(id, TICK);
                        queue.release(id);
                        done += 1;
                    }
                    _ => if let Some((id, _)) = running.first() { queue.charge(*id, TICK); },
                }
                running.extend(std::iter::from_fn(|| queue.grant()));
                let waiting = asked - done - running.len();
                prop_assert!(running.len() <= cores);
                prop_assert!(waiting == 0 || running.len() == cores);
            }
        }
    }
}
