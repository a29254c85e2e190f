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
    match (state.computed, computed()) {
        (Some(before), Some(now)) => now.saturating_sub(before) >= state.call_budget,
        (None, Some(now)) => {
            state.computed = Some(now);
            false
        }
        (_, None) => elapsed >= state.call_budget,
    }
}

/// What this thread has computed so far, where the system tells: nanoseconds on a core, first in this file (proc(5)).
fn computed() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
