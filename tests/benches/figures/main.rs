//! The figures of README, printed by `cargo bench`. Each is taken in the same run as what it is compared with; nothing
//! here passes or fails by time.
#![allow(missing_docs)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

mod boundary;
mod driver;
mod instances;
mod native;
mod scale;
mod sse;
mod stream;

use std::time::{Duration, Instant};

fn main() {
    // `cargo test` runs benches once, to see that they work: a short run will do.
    let short = std::env::args().any(|argument| argument == "--test") || !std::env::args().any(|a| a == "--bench");
    println!("{:<62} {:>12} {:>12}", "figure", "measured", "target");
    boundary::run(short);
    instances::run(short);
    stream::run(short);
    sse::run(short);
    scale::run(short);
}

/// Bytes of this process in memory.
#[derive(Clone, Copy, Default)]
struct Memory {
    /// Pages that others map too count in parts (proc(5), `Pss`), so that the memory image of a plugin, of which there is
    /// one whatever the number of its instances, counts once.
    own: usize,
    /// All that is mapped (`Rss`): counts that image once for each instance.
    mapped: usize,
}

impl Memory {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
        let bytes = |name| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).unwrap_or(0) << 10
        };
        Self { own: bytes("Pss:"), mapped: bytes("Rss:") }
    }

    /// What each of so many has added since.
    fn each(self, count: usize) -> Self {
        let now = Self::now();
        let each = |now: usize, before| now.saturating_sub(before) / count.max(1);
        Self { own: each(now.own, self.own), mapped: each(now.mapped, self.mapped) }
    }

    /// Prints both.
    fn figures(self, name: &str) {
        figure(name, &format!("{} KiB", self.own >> 10), "<= 64 KiB");
        figure("  with what it shares with the others", &format!("{} KiB", self.mapped >> 10), "");
    }
}

/// Prints a figure beside what it should be.
fn figure(name: &str, measured: &str, target: &str) {
    println!("{name:<62} {measured:>12} {target:>12}");
}

fn micros(time: Duration) -> String {
    format!("{:.2} us", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// The best of some runs: what the code costs, without what else the machine does.
fn best(runs: usize, mut run: impl FnMut() -> Duration) -> Duration {
    (0..runs.max(1)).map(|_| run()).min().unwrap_or_default()
}

/// How long something takes.
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let made = work();
    (start.elapsed(), made)
}
