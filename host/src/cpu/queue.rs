//! Who computes next: the tenant that has computed least. Pure; what waits is any `W`.
//!
//! Each tenant has a virtual time, the time its calls have computed. The waiting tenant with the least goes first, so that
//! one with fifty looping plugins gets no more than one with a single honest one. A tenant that was idle starts at the
//! clock, which is where the others are: sleeping saves nothing up.
//!
//! Calls that have turned out to be long never take the last core (unless there is only one): the system's scheduler lets a
//! thread that wakes wait for milliseconds where all cores compute, and everything an honest turn does is such a thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// A tenant in the queue.
pub(super) type ShareId = u64;

/// How long a call has computed. Nearly all are over before anybody looks at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Nobody has looked at it, or it was let go on without a place among the long ones.
    Short,
    Long,
}

#[derive(Debug)]
struct Share<W> {
    virtual_time: Duration,
    /// Its calls that compute now.
    running: usize,
    /// Those that have not begun.
    short: VecDeque<W>,
    /// Those that wait in their middle.
    long: VecDeque<W>,
}

impl<W> Share<W> {
    fn waiting(&mut self, length: Length) -> &mut VecDeque<W> {
        match length {
            Length::Short => &mut self.short,
            Length::Long => &mut self.long,
        }
    }

    fn sleeps(&self) -> bool {
        self.running == 0 && self.short.is_empty() && self.long.is_empty()
    }
}

/// Shares with something waiting, the one that goes next first.
type Order = BTreeSet<(Duration, ShareId)>;

/// A fixed number of cores, and all that want one.
#[derive(Debug)]
pub(super) struct FairQueue<W> {
    cores: usize,
    running: usize,
    /// Of these, the long ones.
    running_long: usize,
    /// Where tenants stand that do not sleep: the virtual time of the share that was granted last. Never goes back.
    clock: Duration,
    shares: BTreeMap<ShareId, Share<W>>,
    short: Order,
    long: Order,
    next_id: ShareId,
}

impl<W> FairQueue<W> {
    pub(super) fn new(cores: usize) -> Self {
        Self {
            cores: cores.max(1),
            running: 0,
            running_long: 0,
            clock: Duration::ZERO,
            shares: BTreeMap::new(),
            short: Order::new(),
            long: Order::new(),
            next_id: 0,
        }
    }

    fn order(&mut self, length: Length) -> &mut Order {
        match length {
            Length::Short => &mut self.short,
            Length::Long => &mut self.long,
        }
    }

    /// A tenant that has not computed yet.
    pub(super) fn join(&mut self) -> ShareId {
        self.next_id += 1;
        let share = Share { virtual_time: self.clock, running: 0, short: VecDeque::new(), long: VecDeque::new() };
        self.shares.insert(self.next_id, share);
        self.next_id
    }

    /// Forgets a tenant; what it has waiting never gets a core. Its calls that still compute must be ended after it.
    pub(super) fn leave(&mut self, id: ShareId) {
        if let Some(share) = self.shares.remove(&id) {
            self.short.remove(&(share.virtual_time, id));
            self.long.remove(&(share.virtual_time, id));
        }
    }

    /// Something wants a core: a call that begins, or a long one that goes on. See [`FairQueue::grant`] for who gets one.
    pub(super) fn wait(&mut self, id: ShareId, length: Length, waiter: W) {
        let Some(share) = self.shares.get_mut(&id) else { return };
        if share.sleeps() {
            share.virtual_time = share.virtual_time.max(self.clock);
        }
        share.waiting(length).push_back(waiter);
        let place = (share.virtual_time, id);
        self.order(length).insert(place);
    }

    /// Takes a free core at once, if nobody waits that could have it.
    pub(super) fn enter(&mut self, id: ShareId) -> bool {
        let free = self.running < self.cores && self.next().is_none();
        let Some(share) = self.shares.get_mut(&id).filter(|_| free) else { return false };
        if share.sleeps() {
            share.virtual_time = share.virtual_time.max(self.clock);
        }
        share.running += 1;
        self.running += 1;
        self.clock = self.clock.max(share.virtual_time);
        true
    }

    /// Who is next, were a core free. A long call only where it has a place.
    fn next(&self) -> Option<(Length, (Duration, ShareId))> {
        let short = self.short.first().map(|place| (Length::Short, *place));
        let long = self.long.first().filter(|_| self.has_place()).map(|place| (Length::Long, *place));
        short.into_iter().chain(long).min_by_key(|(_, place)| *place)
    }

    fn has_place(&self) -> bool {
        self.running_long < (self.cores - 1).max(1)
    }

    /// The next to get a core, while one is free.
    pub(super) fn grant(&mut self) -> Option<(ShareId, W)> {
        if self.running >= self.cores {
            return None;
        }
        let (length, (virtual_time, id)) = self.next()?;
        self.order(length).remove(&(virtual_time, id));
        let share = self.shares.get_mut(&id)?;
        let waiter = share.waiting(length).pop_front()?;
        share.running += 1;
        if !share.waiting(length).is_empty() {
            self.order(length).insert((virtual_time, id));
        }
        self.running += 1;
        self.running_long += usize::from(length == Length::Long);
        self.clock = self.clock.max(virtual_time);
        Some((id, waiter))
    }

    /// A call has computed for so long, and goes on.
    pub(super) fn charge(&mut self, id: ShareId, computed: Duration) {
        let Some(share) = self.shares.get_mut(&id) else { return };
        let was = (share.virtual_time, id);
        share.virtual_time = share.virtual_time.saturating_add(computed);
        let place = (share.virtual_time, id);
        let alone = share.running == self.running;
        for order in [&mut self.short, &mut self.long] {
            if order.remove(&was) {
                order.insert(place);
            }
        }
        if alone && self.short.iter().chain(&self.long).all(|(_, waiting)| *waiting == id) {
            // Alone, it owes nobody anything: who comes now starts where it is.
            self.clock = self.clock.max(place.0);
        }
    }

    /// A call gives its core back.
    pub(super) fn release(&mut self, id: ShareId, length: Length) {
        self.running = self.running.saturating_sub(1);
        self.running_long = self.running_long.saturating_sub(usize::from(length == Length::Long));
        if let Some(share) = self.shares.get_mut(&id) {
            share.running = share.running.saturating_sub(1);
        }
    }

    /// A call that computes has turned out to be long. False where it has no place among them, or another's turn has come:
    /// then it must let go.
    pub(super) fn lengthen(&mut self, id: ShareId) -> bool {
        let stays = self.has_place() && !self.should_yield(id);
        self.running_long += usize::from(stays);
        stays
    }

    /// Whether a call of this tenant should let another go first: one waits that has computed less.
    pub(super) fn should_yield(&self, id: ShareId) -> bool {
        let Some(own) = self.shares.get(&id) else { return false };
        let first = [&self.short, &self.long].into_iter().filter_map(BTreeSet::first).min();
        first.is_some_and(|(next, other)| *other != id && *next < own.virtual_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICK: Duration = Duration::from_millis(10);

    /// A call by its number, and what it is when it gets a core.
    type Call = (u32, Length);

    fn begin(queue: &mut FairQueue<Call>, id: ShareId, call: u32) {
        queue.wait(id, Length::Short, (call, Length::Short));
    }

    /// Runs what is granted for a tick, then looks at it as a permit does. Gives back who computed, tick by tick.
    fn ticks(queue: &mut FairQueue<Call>, running: &mut Vec<(ShareId, Call)>) -> Vec<u32> {
        running.extend(std::iter::from_fn(|| queue.grant()));
        let computed = running.iter().map(|(_, (call, _))| *call).collect();
        for (id, (call, length)) in std::mem::take(running) {
            queue.charge(id, TICK);
            let stays = match length {
                Length::Short => queue.lengthen(id),
                Length::Long => !queue.should_yield(id),
            };
            if stays {
                running.push((id, (call, Length::Long)));
            } else {
                queue.release(id, length);
                queue.wait(id, Length::Long, (call, Length::Long));
            }
        }
        computed
    }

    /// G01: fifty looping plugins of one tenant keep another waiting for a tick at most.
    #[test]
    fn g01_fifty_spinners_keep_nobody_waiting_for_more_than_a_tick() {
        let mut queue = FairQueue::new(2);
        let (evil, good) = (queue.join(), queue.join());
        (0..50).for_each(|call| begin(&mut queue, evil, call));
        let mut running = Vec::new();
        for round in 0..100 {
            for _ in 0..3 {
                ticks(&mut queue, &mut running);
            }
            begin(&mut queue, good, 1_000 + round);
            let first = ticks(&mut queue, &mut running);
            let second = ticks(&mut queue, &mut running);
            assert!(first.contains(&(1_000 + round)) || second.contains(&(1_000 + round)), "round {round}: {second:?}");
            let done = running.iter().position(|(id, _)| *id == good);
            if let Some(at) = done {
                let (_, (_, length)) = running.remove(at);
                queue.release(good, length);
            }
        }
    }

    /// When everything that loops has been looked at once, a core is free for who comes.
    #[test]
    fn g01_long_calls_leave_a_core_free() {
        let mut queue = FairQueue::new(4);
        let shares: Vec<ShareId> = (0..8).map(|_| queue.join()).collect();
        shares.iter().for_each(|id| begin(&mut queue, *id, 0));
        let mut running = Vec::new();
        let counts: Vec<usize> = (0..20).map(|_| ticks(&mut queue, &mut running).len()).collect();
        assert_eq!(counts[0], 4);
        assert!(counts[2..].iter().all(|count| *count == 3), "{counts:?}");
        running.extend(std::iter::from_fn(|| queue.grant()));
        assert!(queue.enter(shares[0]), "somebody comes, and finds a core");
    }

    #[test]
    fn tenants_that_all_loop_get_equal_parts() {
        let mut queue = FairQueue::new(1);
        let shares: Vec<ShareId> = (0..5).map(|_| queue.join()).collect();
        for (at, id) in shares.iter().enumerate() {
            // The first has ten calls, the others one each.
            let calls = if at == 0 { 10 } else { 1 };
            (0..calls).for_each(|call| begin(&mut queue, *id, u32::try_from(at).expect("few") * 100 + call));
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
        begin(&mut queue, busy, 0);
        let mut running = Vec::new();
        for _ in 0..1_000 {
            ticks(&mut queue, &mut running);
        }
        begin(&mut queue, sleeper, 1);
        begin(&mut queue, sleeper, 2);
        let computed: Vec<u32> = (0..40).flat_map(|_| ticks(&mut queue, &mut running)).collect();
        let of_busy = computed.iter().filter(|call| **call == 0).count();
        assert!((18..=22).contains(&of_busy), "equal parts from now on: {computed:?}");
    }

    proptest! {
        /// Never more than the cores, never a core idle while a call waits to begin, long ones only in their places and none
        /// of these empty while one waits, nobody lost.
        #[test]
        fn cores_are_neither_idle_nor_oversold(cores in 1_usize..4, steps in prop::collection::vec((0_u8..5, 0_usize..6), 1..200)) {
            let mut queue = FairQueue::new(cores);
            let shares: Vec<ShareId> = (0..6).map(|_| queue.join()).collect();
            let (mut running, mut asked, mut done, mut suspended) = (Vec::new(), 0, 0, 0);
            for (what, at) in steps {
                match what {
                    0 | 1 => { asked += 1; begin(&mut queue, shares[at], asked); }
                    2 if !running.is_empty() => {
                        let (id, (_, length)) = running.remove(at % running.len());
                        queue.charge(id, TICK);
                        queue.release(id, length);
                        done += 1;
                    }
                    3 => {
                        ticks(&mut queue, &mut running);
                    }
                    _ => if let Some((id, _)) = running.first() { queue.charge(*id, TICK); },
                }
                running.extend(std::iter::from_fn(|| queue.grant()));
                let long = running.iter().filter(|(_, (_, length))| *length == Length::Long).count();
                let waiting = asked as usize - done - running.len();
                suspended = queue.shares.values().map(|share| share.long.len()).sum();
                let places = (cores - 1).max(1);
                prop_assert!(running.len() <= cores && long <= places);
                prop_assert!(waiting == suspended || running.len() == cores);
                prop_assert!(suspended == 0 || long == places || running.len() == cores);
            }
            let of_queue: usize = queue.shares.values().map(|share| share.short.len() + share.long.len()).sum();
            prop_assert_eq!(asked as usize - done - running.len(), of_queue, "nobody is lost, {} of them suspended", suspended);
        }
    }
}
