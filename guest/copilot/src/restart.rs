//! When a sidecar that ended may be started again.

use llm_provider_core::digest::Fields;
use llm_provider_guest::types::{Instant, Milliseconds};
use std::collections::VecDeque;

/// Restarts within [`WINDOW`] before it is left alone: five crashes in a minute are no accident.
const MOST: usize = 5;
/// How long a restart counts. A minute of health forgets them all.
const WINDOW: Milliseconds = 60_000;
/// The pause before the second restart of a row; it doubles. The first has none: a single crash should not be felt.
const BASE: Milliseconds = 500;
/// The longest pause.
const CAP: Milliseconds = 30_000;

/// The recent restarts.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    started: bool,
    recent: VecDeque<Instant>,
}

/// What a start would be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Go on.
    Now,
    /// Go on then.
    At(Instant),
    /// Too many: not before this time has passed.
    Refused(Milliseconds),
}

impl Restarts {
    /// Asks for a start. [`Permit::Now`] counts as one; [`Permit::At`] does when it is asked for again.
    pub(crate) fn permit(&mut self, now: Instant, seed: u64) -> Permit {
        if !self.started {
            self.started = true;
            return Permit::Now;
        }
        self.recent.retain(|at| at.saturating_add(WINDOW) > now);
        if self.recent.len() >= MOST {
            let free = self.recent.front().map_or(now, |at| at.saturating_add(WINDOW));
            return Permit::Refused(free.saturating_sub(now));
        }
        let due = self.recent.back().map_or(now, |last| last.saturating_add(self.pause(seed)));
        if due > now {
            return Permit::At(due);
        }
        self.recent.push_back(now);
        Permit::Now
    }

    /// The process was ended on purpose: its next start is like the first, and counts for nothing.
    pub(crate) fn rested(&mut self) {
        self.started = false;
    }

    /// Between half and the whole of the step, so that instances that crashed together do not come back together.
    fn pause(&self, seed: u64) -> Milliseconds {
        let doublings = u32::try_from(self.recent.len().saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let step = BASE.saturating_mul(1 << doublings).min(CAP);
        let drawn = Fields::new("restart").field(&seed.to_le_bytes()).field(&doublings.to_le_bytes()).digest();
        let jitter = u64::from_str_radix(&drawn.hex(4), 16).unwrap_or(0);
        step / 2 + jitter % (step / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Crashes as fast as it may: the sixth restart within a minute is refused (P13).
    #[test]
    fn p13_restart_storm() {
        let mut restarts = Restarts::default();
        let mut now = 0;
        let mut starts = 0;
        let wait = loop {
            match restarts.permit(now, 7) {
                Permit::Now => starts += 1,
                Permit::At(due) => {
                    assert!(due > now && due - now <= CAP);
                    now = due;
                }
                Permit::Refused(wait) => break wait,
            }
        };
        assert_eq!(starts, 1 + MOST);
        assert!(now < WINDOW && wait <= WINDOW && wait > 0);
        assert_eq!(restarts.permit(now + wait, 7), Permit::Now);
    }
}
