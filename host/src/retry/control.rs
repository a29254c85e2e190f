//! The owner's hand on a turn, whatever phase it is in.

use crate::bindings::llm::provider::types::TurnId;
use crate::instance::Signals;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Cancels a turn. While an attempt runs its plugin is told, which ends the turn; between attempts the driver is woken.
#[derive(Default)]
pub(crate) struct Control(Mutex<State>);

#[derive(Default)]
struct State {
    cancelled: bool,
    /// The attempt that runs, and how its actor is told.
    running: Option<(TurnId, Arc<Signals>)>,
    /// The driver, while it waits.
    waker: Option<Waker>,
}

impl Control {
    /// Gives the turn up. For good, and once: asking again changes nothing.
    pub(crate) fn cancel(&self) {
        let mut state = self.state();
        if std::mem::replace(&mut state.cancelled, true) {
            return;
        }
        if let Some((turn, signals)) = &state.running {
            signals.cancel(*turn);
        }
        if let Some(waker) = state.waker.take() {
            drop(state);
            waker.wake();
        }
    }

    /// An attempt runs. One that was given up while it started is cancelled at once.
    pub(super) fn attach(&self, turn: TurnId, signals: &Arc<Signals>) {
        let mut state = self.state();
        if state.cancelled {
            signals.cancel(turn);
        }
        state.running = Some((turn, Arc::clone(signals)));
    }

    /// No attempt runs any more.
    pub(super) fn detach(&self) {
        self.state().running = None;
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.state().cancelled
    }

    /// Whether the turn was given up; if not, the driver is woken when it is.
    pub(super) fn poll_cancelled(&self, context: &Context<'_>) -> bool {
        let mut state = self.state();
        if !state.cancelled {
            state.waker = Some(context.waker().clone());
        }
        state.cancelled
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn cancelled(signals: &Signals) -> Vec<TurnId> {
        signals.take().cancelled
    }

    #[test]
    fn a_running_attempt_is_told_once() {
        let (control, signals) = (Control::default(), Arc::new(Signals::default()));
        control.attach(7, &signals);
        (0..3).for_each(|_| control.cancel());
        assert_eq!(cancelled(&signals), [7]);
    }

    #[test]
    fn what_was_given_up_between_attempts_wakes_the_driver_and_no_attempt_runs_on() {
        let (control, signals, woken) = (Control::default(), Arc::new(Signals::default()), Arc::new(Woken::default()));
        control.attach(7, &signals);
        control.detach();
        let waker = Waker::from(Arc::clone(&woken));
        assert!(!control.poll_cancelled(&Context::from_waker(&waker)));
        control.cancel();
        assert!(control.poll_cancelled(&Context::from_waker(&waker)));
        assert_eq!((woken.0.load(Ordering::Relaxed), cancelled(&signals)), (1, vec![]));
        control.attach(8, &signals);
        assert_eq!(cancelled(&signals), [8]);
    }
}
