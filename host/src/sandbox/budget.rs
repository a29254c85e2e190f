//! Whether a call has computed for longer than it may.
//!
//! What counts is what its thread computed, not what the clock says: on a machine with more to do than it has cores, an
//! honest call of 20 ms was seen to take 777 ms.

use super::state::State;
use std::fs;
use std::time::Duration;

/// A call ends after this many times its budget, whatever its thread computed: somebody waits for it.
const MOST_STRETCHED: u32 = 10;

/// Looks at a call at a tick of the engine. Calls that are over before the first tick, which is nearly all, are never looked
/// at; so what a thread had computed before is read then and not at the beginning, at the price of a tick more.
pub(super) fn is_used_up(state: &mut State) -> bool {
    let elapsed = state.started.elapsed();
    if elapsed >= state.call_budget.saturating_mul(MOST_STRETCHED) {
        return true;
    }
    match (state.looked, computed()) {
        (Some(first), Some(now)) => now.saturating_sub(first.thread) >= state.call_budget,
        (None, Some(thread)) => {
            state.looked = Some(FirstLook { thread, held: state.held() });
            false
        }
        (_, None) => elapsed >= state.call_budget,
    }
}

/// A call when it was first looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstLook {
    /// What its thread had computed, this call and others.
    thread: Duration,
    /// How long the call had held its core.
    held: Duration,
}

/// How long a call has computed that held its core for so long: what it was kept from the core by others is not its doing.
/// Only a call that was looked at is worth a look.
pub(super) fn spent(held: Duration, first: Option<FirstLook>) -> Duration {
    first.map_or(held, |first| beyond(held, first, computed()))
}

fn beyond(held: Duration, first: FirstLook, thread: Option<Duration>) -> Duration {
    thread.map_or(held, |now| held.min(first.held + now.saturating_sub(first.thread)))
}

/// What this thread has computed so far, where the system tells: nanoseconds on a core, first in this file (proc(5)).
fn computed() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_took_of_the_core_is_not_spent() {
        let ms = Duration::from_millis;
        let first = FirstLook { thread: ms(1_000), held: ms(2) };
        assert_eq!(beyond(ms(777), first, Some(ms(1_018))), ms(20), "20 ms of computing in 777 ms");
        assert_eq!(beyond(ms(20), first, Some(ms(1_018))), ms(20));
        assert_eq!(beyond(ms(20), first, Some(ms(1_100))), ms(20), "never more than it held the core");
        assert_eq!(beyond(ms(777), first, None), ms(777), "where the system does not tell");
        assert_eq!(spent(ms(1), None), ms(1));
    }

    #[test]
    fn a_thread_that_waits_computes_nothing() {
        let before = computed().expect("Linux tells");
        let first = FirstLook { thread: before, held: Duration::ZERO };
        std::thread::sleep(Duration::from_millis(300));
        assert!(spent(Duration::from_millis(300), Some(first)) < Duration::from_millis(150));
    }
}
