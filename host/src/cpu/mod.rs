//! The cores of a host, shared fairly by its tenants: calls into plugins never compute on more threads than there are cores,
//! long ones leave one of these free, and a call that goes on lets a tenant go first that has computed less. It is looked at
//! when that tenant comes, and not only at the next tick.
//!
//! A call runs on a thread of its own, so it can be suspended where it looks at its deadline: its thread waits, its core
//! goes to somebody else. Nothing here depends on what a plugin does.

mod queue;

use queue::{FairQueue, Length, ShareId};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The cores of a host. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cpu(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    most_suspended: usize,
    interrupt: Interrupt,
}

/// Makes the calls that compute look at their deadline soon, each in its own thread.
pub(crate) type Interrupt = Box<dyn Fn() + Send + Sync>;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct State {
    queue: FairQueue<Waiter>,
    /// Threads that wait in the middle of a call.
    suspended: usize,
}

/// Who waits for a core.
#[derive(Debug)]
enum Waiter {
    /// A call that has not begun. It keeps its share in the queue.
    Begins(Arc<CpuShare>, oneshot::Sender<Permit>),
    /// A call that was suspended.
    GoesOn(Arc<Parked>),
}

/// A thread in the middle of a call.
#[derive(Debug, Default)]
struct Parked {
    granted: Mutex<bool>,
    wake: Condvar,
}

/// A tenant's part of the cores. Whatever waits or computes holds it, so that nothing is forgotten in the queue.
#[derive(Debug)]
pub(crate) struct CpuShare {
    cpu: Cpu,
    id: ShareId,
}

/// The right to compute on a core, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    share: Arc<CpuShare>,
    length: Length,
    since: Instant,
    /// Computed before `since`.
    before: Duration,
}

impl Cpu {
    /// `most_suspended`: calls that may wait in their middle; when so many do, the others compute to their end.
    pub(crate) fn new(cores: usize, most_suspended: usize, interrupt: Interrupt) -> Self {
        let state = Mutex::new(State { queue: FairQueue::new(cores), suspended: 0 });
        Self(Arc::new(Shared { state, most_suspended, interrupt }))
    }

    /// A tenant's part.
    pub(crate) fn share(&self) -> Arc<CpuShare> {
        Arc::new(CpuShare { cpu: self.clone(), id: self.state().queue.join() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free cores to those who are next. A permit that nobody takes any more comes back here by its drop, so the lock
    /// is not held while they are handed out.
    fn hand_out(&self) {
        loop {
            let mut state = self.state();
            let Some((id, waiter)) = state.queue.grant() else { return };
            match waiter {
                // Looked at first: a permit dropped in here would hand out in here, as deep as there are such waiters.
                Waiter::Begins(share, waiter) if waiter.is_closed() => {
                    state.queue.release(id, Length::Short);
                    // Not under the lock: the last of a share takes it again.
                    drop(state);
                    drop(share);
                }
                Waiter::Begins(share, waiter) => {
                    drop(state);
                    drop(waiter.send(Permit::new(share)));
                }
                Waiter::GoesOn(parked) => {
                    state.suspended = state.suspended.saturating_sub(1);
                    drop(state);
                    parked.go_on();
                }
            }
        }
    }
}

impl CpuShare {
    /// Waits for a core.
    ///
    /// # Cancel safety
    /// Safe: the place in the queue is given up.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Permit {
        if self.cpu.state().queue.enter(self.id) {
            return Permit::new(Arc::clone(self));
        }
        loop {
            let (waiter, mut granted) = oneshot::channel();
            self.cpu.state().queue.wait(self.id, Length::Short, Waiter::Begins(Arc::clone(self), waiter));
            self.cpu.hand_out();
            match granted.try_recv() {
                Ok(permit) => return permit,
                Err(oneshot::error::TryRecvError::Empty) => (self.cpu.0.interrupt)(),
                Err(oneshot::error::TryRecvError::Closed) => continue,
            }
            if let Ok(permit) = granted.await {
                return permit;
            }
        }
    }
}

impl Drop for CpuShare {
    fn drop(&mut self) {
        self.cpu.state().queue.leave(self.id);
    }
}

impl Permit {
    fn new(share: Arc<CpuShare>) -> Self {
        Self { share, length: Length::Short, since: Instant::now(), before: Duration::ZERO }
    }

    /// The call begins now: what went by since the core was granted, until there was a thread, is nobody's.
    pub(crate) fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// As [`Permit::begin`].
    pub(crate) fn begun(mut self) -> Self {
        self.begin();
        self
    }

    /// Says that the call goes on: it is one of the long ones now. Where these have no place for it, or another tenant should
    /// go first, waits for its next turn. Blocks the thread: for calls that have one to themselves. Gives back how long it
    /// waited.
    pub(crate) fn tick(&mut self) -> Duration {
        self.charge();
        let parked = Arc::new(Parked::default());
        let (cpu, id) = (&self.share.cpu, self.share.id);
        {
            let mut state = cpu.state();
            let stays = match self.length {
                Length::Short => state.queue.lengthen(id),
                Length::Long => !state.queue.should_yield(id),
            };
            if stays {
                self.length = Length::Long;
                return Duration::ZERO;
            }
            if state.suspended >= cpu.0.most_suspended {
                return Duration::ZERO;
            }
            state.suspended += 1;
            state.queue.release(id, self.length);
            state.queue.wait(id, Length::Long, Waiter::GoesOn(Arc::clone(&parked)));
        }
        cpu.hand_out();
        parked.wait();
        let waited = self.since.elapsed();
        (self.length, self.since) = (Length::Long, Instant::now());
        waited
    }

    /// How long it was held, without the waits.
    pub(crate) fn computed(&self) -> Duration {
        self.before + self.since.elapsed()
    }

    fn charge(&mut self) {
        let now = Instant::now();
        let computed = now.saturating_duration_since(self.since);
        self.since = now;
        self.before += computed;
        self.share.cpu.state().queue.charge(self.share.id, computed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (cpu, id) = (&self.share.cpu, self.share.id);
        {
            let mut state = cpu.state();
            state.queue.charge(id, self.since.elapsed());
            state.queue.release(id, self.length);
        }
        cpu.hand_out();
    }
}

impl Parked {
    fn wait(&self) {
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.wake.wait_while(granted, |granted| !*granted).unwrap_or_else(PoisonError::into_inner));
    }

    fn go_on(&self) {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_call_that_goes_on_lets_another_tenant_go_first() {
        let cpu = Cpu::new(1, 8, Box::new(|| ()));
        let (evil, good) = (cpu.share(), cpu.share());
        let mut permit = evil.acquire().await;
        let spinner = tokio::task::spawn_blocking(move || {
            let begin = Instant::now();
            let mut waited = Duration::ZERO;
            while waited.is_zero() && begin.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
                waited += permit.tick();
            }
            waited
        });
        let granted = tokio::time::timeout(Duration::from_secs(10), good.acquire()).await.expect("a core");
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(granted);
        assert!(spinner.await.expect("no panic") >= Duration::from_millis(10), "it waited while the other computed");
    }

    /// Who finds no core free has the calls that compute looked at; who finds one has nobody disturbed.
    #[tokio::test]
    async fn who_must_wait_interrupts_what_computes() {
        let (told, interrupts) = std::sync::mpsc::channel();
        let cpu = Cpu::new(1, 8, Box::new(move || told.send(()).expect("the test listens")));
        let (one, two) = (cpu.share(), cpu.share());
        let held = one.acquire().await;
        assert!(interrupts.try_recv().is_err());
        let mut other = Box::pin(two.acquire());
        assert!(poll_once(&mut other).is_none());
        assert!(interrupts.try_recv().is_ok());
        drop(held);
        drop(other.await);
    }

    #[tokio::test]
    async fn a_place_that_is_given_up_costs_nobody_a_core() {
        let cpu = Cpu::new(1, 8, Box::new(|| ()));
        let (one, two) = (cpu.share(), cpu.share());
        let held = one.acquire().await;
        assert!(tokio::time::timeout(Duration::from_millis(10), two.acquire()).await.is_err(), "no core is free");
        drop(held);
        drop(tokio::time::timeout(Duration::from_secs(10), two.acquire()).await.expect("a core"));
    }

    /// A tenant that is gone before its turn came: its share goes with its place in the queue.
    #[tokio::test]
    async fn a_tenant_that_leaves_the_queue_takes_its_share_along() {
        let cpu = Cpu::new(1, 8, Box::new(|| ()));
        let (one, two, three) = (cpu.share(), cpu.share(), cpu.share());
        let held = one.acquire().await;
        assert!(tokio::time::timeout(Duration::from_millis(10), two.acquire()).await.is_err(), "no core is free");
        drop(two);
        let (told, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(held);
            told.send(()).expect("the test waits");
        });
        ended.recv_timeout(Duration::from_secs(20)).expect("giving the core back ends");
        drop(tokio::time::timeout(Duration::from_secs(10), three.acquire()).await.expect("a core"));
    }

    #[tokio::test]
    async fn so_many_wait_in_their_middle_and_no_more() {
        let cpu = Cpu::new(1, 0, Box::new(|| ()));
        let (one, two) = (cpu.share(), cpu.share());
        let mut held = one.acquire().await;
        let mut other = Box::pin(two.acquire());
        assert!(poll_once(&mut other).is_none());
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(held.tick(), Duration::ZERO);
        assert!(held.computed() >= Duration::from_millis(2));
        drop(held);
        drop(other.await);
    }

    fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
