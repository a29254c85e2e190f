//! A reader that stops at the limits of one archive.

use std::io::{self, Read};

use super::UnpackProblem;
use crate::Limits;

/// Below this the ratio says nothing: tar pads a one-line archive to 10 KiB of zeros.
const RATIO_FLOOR: u64 = 1 << 20;

pub(super) struct Limited<R> {
    reader: R,
    left: u64,
    /// Which limit `left` comes from.
    by_ratio: Option<u64>,
    limit: u64,
    /// The limit that was passed.
    pub(super) passed: Option<UnpackProblem>,
}

impl<R: Read> Limited<R> {
    pub(super) fn new(reader: R, packed: u64, limits: &Limits) -> Self {
        let by_ratio = packed.saturating_mul(limits.ratio).max(RATIO_FLOOR);
        let limit = limits.unpacked_bytes.min(by_ratio);
        let by_ratio = (by_ratio < limits.unpacked_bytes).then_some(limits.ratio);
        Self { reader, left: limit, by_ratio, limit, passed: None }
    }

    fn pass(&mut self) -> io::Error {
        self.passed = Some(match self.by_ratio {
            Some(ratio) => UnpackProblem::Ratio { ratio },
            None => UnpackProblem::TooLarge { limit: self.limit },
        });
        io::Error::other("limit")
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(self.pass()),
        }
    }
}
