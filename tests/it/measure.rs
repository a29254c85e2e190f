//! What a process holds, and tests that need a process of their own to measure it in.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Longer than what was dropped takes to go, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a test in a process of its own, where what it measures of the process is its own. True in that process. `name` is
/// the test's whole path.
pub(crate) fn alone(name: &str) -> bool {
    const ALONE: &str = "LLMP_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(program)
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.starts_with("figure:")).for_each(|line| println!("{line}"));
    assert!(text.contains("1 passed"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// Bytes of this process that are in memory.
pub(crate) fn resident() -> usize {
    figure("/proc/self/smaps_rollup", "Rss:")
}

/// The figure of a line such as `VmHWM: 12 kB`, in bytes.
fn figure(file: &str, name: &str) -> usize {
    let text = fs::read_to_string(file).expect("Linux");
    let line = text.lines().find(|line| line.starts_with(name)).expect("its line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") << 10
}

/// The most memory this process has had at once, from a moment on. The kernel counts pages in batches for each core, so it
/// is off by some hundred KiB.
pub(crate) struct Peak {
    before: usize,
}

impl Peak {
    pub(crate) fn begin() -> Self {
        // Forgets the earlier peak (proc(5)). Where that is not allowed, the earlier one is what has to be passed.
        drop(fs::write("/proc/self/clear_refs", "5"));
        Self { before: figure("/proc/self/status", "VmHWM:") }
    }

    /// How much more it was.
    pub(crate) fn grown(&self) -> usize {
        figure("/proc/self/status", "VmHWM:").saturating_sub(self.before)
    }
}

/// The most memory this process has asked for at once, from a moment on, whether it was written to or not: to the byte for
/// what has 128 KiB and more, which the allocator hands on to the kernel.
pub(crate) struct Claimed {
    before: usize,
    /// What fills the gap below the earlier peak, which cannot be forgotten.
    _ballast: Vec<u8>,
}

impl Claimed {
    pub(crate) fn begin() -> Self {
        let status = |name| figure("/proc/self/status", name);
        let ballast = black_box(Vec::with_capacity(status("VmPeak:").saturating_sub(status("VmSize:"))));
        Self { before: status("VmPeak:"), _ballast: ballast }
    }

    /// How much more it was.
    pub(crate) fn grown(&self) -> usize {
        figure("/proc/self/status", "VmPeak:").saturating_sub(self.before)
    }
}

/// What must not grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) resident: usize,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) tasks: usize,
    pub(crate) children: usize,
}

impl Held {
    fn now() -> Self {
        let count = |path: &str| fs::read_dir(path).expect("Linux").count();
        let children = fs::read_dir("/proc/self/task").expect("Linux").flatten();
        let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
        Self {
            resident: resident(),
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
            children: children.map(|task| of(task).split_whitespace().count()).sum(),
        }
    }

    /// A look when what was dropped has had the time to go: children and tasks do, on a busy machine too.
    pub(crate) async fn settled() -> Self {
        let begin = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let held = Self::now();
            if held.children + held.tasks == 0 || begin.elapsed() > PATIENCE {
                return held;
            }
        }
    }
}
