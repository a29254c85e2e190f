//! Advances the engine's epoch, so that running calls look at their deadline.

use crate::error::HostError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;
use wasmtime::Engine;

/// So many ticks without a call, and the thread sleeps: a host with nothing to do wakes nobody. Enough that a turn's calls,
/// some milliseconds apart, find it awake.
const QUIET_TICKS: u32 = 50;

/// The thread that ticks, until this is dropped. An OS thread: a ticker on the runtime would stand still just when a plugin
/// keeps the runtime busy. Whatever makes calls holds it, since a call that loops when its host is gone must end too.
pub(crate) struct Ticker(Arc<Pulse>);

#[derive(Debug, Default)]
struct Pulse {
    /// A call was begun or looked at since the last tick.
    busy: AtomicBool,
    parked: AtomicBool,
    stop: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine, tick: Duration) -> Result<Self, HostError> {
        let pulse = Arc::new(Pulse::default());
        let (weak, shared) = (engine.weak(), Arc::clone(&pulse));
        let advance = move || {
            weak.upgrade().is_some_and(|engine| {
                engine.increment_epoch();
                true
            })
        };
        let thread = thread::Builder::new()
            .name("llmp-epoch".into())
            .spawn(move || shared.run(tick, advance))
            .map_err(|error| HostError::Engine(format!("cannot start the epoch thread: {error}")))?;
        pulse.thread.get_or_init(|| thread.thread().clone());
        Ok(Self(pulse))
    }

    /// To be called when a call begins, and while it goes on.
    pub(crate) fn beat(&self) {
        self.0.beat();
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
        self.0.wake();
    }
}

impl Pulse {
    fn beat(&self) {
        // One of two threads sees the other's store, so the ticker never sleeps through a call: all four are `SeqCst`.
        self.busy.store(true, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Ticks until it is stopped, or there is nothing to advance any more.
    fn run(&self, tick: Duration, advance: impl Fn() -> bool) {
        let mut quiet = 0;
        while !self.stop.load(Ordering::SeqCst) {
            thread::sleep(tick);
            if !advance() {
                return;
            }
            quiet = if self.busy.swap(false, Ordering::SeqCst) { 0 } else { quiet + 1 };
            if quiet >= QUIET_TICKS {
                self.sleep();
                quiet = 0;
            }
        }
    }

    fn sleep(&self) {
        self.parked.store(true, Ordering::SeqCst);
        // Whoever set these before `parked` has woken nobody; whoever does now leaves a token that ends the next park.
        while !self.busy.load(Ordering::SeqCst) && !self.stop.load(Ordering::SeqCst) {
            thread::park();
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// The ticks of a pulse, each as a message; the thread is told of the pulse as `Ticker::start` does.
    fn ticking(pulse: &Arc<Pulse>) -> mpsc::Receiver<()> {
        let (told, ticks) = mpsc::channel();
        let shared = Arc::clone(pulse);
        let thread = thread::spawn(move || shared.run(Duration::from_millis(1), || told.send(()).is_ok()));
        pulse.thread.get_or_init(|| thread.thread().clone());
        ticks
    }

    #[test]
    fn it_sleeps_when_nothing_is_called_and_wakes_with_the_next_call() {
        let pulse = Arc::new(Pulse::default());
        let ticks = ticking(&pulse);
        for _ in 0..3 {
            let before = ticks.iter().take(QUIET_TICKS as usize).count();
            assert_eq!(before, QUIET_TICKS as usize);
            let silent = (0..200).find(|_| ticks.recv_timeout(Duration::from_millis(100)).is_err());
            assert!(silent.is_some(), "it goes on ticking for nobody");
            pulse.beat();
            ticks.recv_timeout(Duration::from_secs(20)).expect("a call wakes it");
        }
    }

    #[test]
    fn it_ends_though_it_sleeps() {
        let pulse = Arc::new(Pulse::default());
        let ticks = ticking(&pulse);
        while ticks.recv_timeout(Duration::from_millis(100)).is_ok() {}
        drop(Ticker(Arc::clone(&pulse)));
        let ended = (0..200)
            .find(|_| ticks.recv_timeout(Duration::from_millis(100)) == Err(mpsc::RecvTimeoutError::Disconnected));
        assert!(ended.is_some());
    }
}
