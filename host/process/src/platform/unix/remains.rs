//! What was killed and has not ended, since the kernel has it wait for a device.

use std::time::{Duration, Instant};

use super::cage::Cage;
use super::strays::Stray;

/// How often it is looked at, and adopted orphans are looked for: their end rings no bell, and they were killed
/// already.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// What is left of children. Nothing in it is waited for, but where this is dropped: see [`Cage`].
#[derive(Default)]
pub(super) struct Remains {
    strays: Vec<Stray>,
    cages: Vec<Cage>,
    looked: Option<Instant>,
}

impl Remains {
    /// What is left of one child. Its control group was killed.
    pub(super) fn of(strays: Vec<Stray>, cage: Option<Cage>) -> Self {
        let mut cages = Vec::from_iter(cage);
        cages.retain_mut(|cage| !cage.is_settled());
        Self { strays, cages, looked: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.strays.is_empty() && self.cages.is_empty()
    }

    pub(super) fn add(&mut self, other: Self) {
        for stray in other.strays {
            // Each child of its mark finds it again. One descriptor is enough: until it is reaped, nobody else has its
            // number.
            if !self.strays.iter().any(|known| known.pid == stray.pid) {
                self.strays.push(stray);
            }
        }
        self.cages.extend(other.cages);
    }

    /// Looks again, once per tick however often it is called: the looks at a control group are counted.
    pub(super) fn look(&mut self) {
        if self.looked.is_some_and(|looked| looked.elapsed() < TICK) {
            return;
        }
        self.strays.retain(Stray::lingers);
        self.cages.retain_mut(|cage| !cage.is_settled());
        self.looked = Some(Instant::now());
    }
}
