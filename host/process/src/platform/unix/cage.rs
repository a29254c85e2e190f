//! A control group (version 2) of a child's own: nothing leaves it, and it ends at once with all that is in it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::place;
use crate::cgroup::CgroupLimits;

/// Looks at a group that was killed until it is empty: killed processes end within milliseconds, unless the kernel has
/// them wait for a device. Such a group is left to be swept later.
const LOOKS: usize = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A group. Dropping it kills whatever is in it, waits for that, and removes it. The thread that sees children end must
/// not wait: it [kills](Self::kill), and asks now and then whether the group [is settled](Self::is_settled).
#[derive(Debug)]
pub(super) struct Cage {
    directory: PathBuf,
    /// Looks that are left. None when there is nothing more to do.
    looks: usize,
    /// Processes and memory are bounded.
    pub(super) limited: bool,
}

/// The way into a group, for the forked process.
pub(super) struct Entry(File);

impl Cage {
    /// Makes one where this process may.
    ///
    /// # Errors
    ///
    /// What the system says; [`Unsupported`](io::ErrorKind::Unsupported) where a group could not be ended.
    pub(super) fn make(place: &Path, limits: &CgroupLimits) -> io::Result<(Self, Entry)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut directory = place::prefix(place);
        directory.push(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        let directory = PathBuf::from(directory);
        fs::create_dir(&directory)?;
        // From here on it is removed whatever happens.
        let mut cage = Self { directory, looks: LOOKS, limited: false };
        if !cage.directory.join("cgroup.kill").exists() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        cage.limited = bound(&cage.directory, limits);
        let entry = OpenOptions::new().write(true).open(cage.directory.join("cgroup.procs"))?;
        Ok((cage, Entry(entry)))
    }

    /// Kills whatever is in it.
    pub(super) fn kill(&self) {
        // One that was never entered, or that somebody else removed, has nothing to kill.
        let _ = set(&self.directory, "cgroup.kill", "1");
    }

    /// Removes it if it is empty. True when there is nothing more to do: it is gone, or was looked at so often that it
    /// is left to be swept later.
    pub(super) fn is_settled(&mut self) -> bool {
        if self.looks == 0 {
            return true;
        }
        match fs::remove_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => self.looks -= 1,
            _ => {
                self.looks = 0;
                return true;
            }
        }
        if self.looks == 0 {
            tracing::warn!(group = %self.directory.display(), "processes of a child that was killed have not ended yet");
        }
        self.looks == 0
    }
}

impl Entry {
    /// Runs in the forked process.
    pub(super) fn enter(&self) -> io::Result<()> {
        rustix::io::write(&self.0, b"0")?; // whoever writes it
        Ok(())
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        if self.looks > 0 {
            self.kill();
        }
        while !self.is_settled() {
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// Writes the limits. False where the controllers are not there for groups in this place.
fn bound(group: &Path, limits: &CgroupLimits) -> bool {
    let tasks = set(group, "pids.max", &limits.tasks.to_string());
    let memory = set(group, "memory.max", &limits.memory_bytes.to_string());
    // Without it, memory beyond the limit goes to the disk, and the machine to a crawl. Not there without swap.
    let _ = set(group, "memory.swap.max", "0");
    tasks.and(memory).is_ok()
}

/// The kernel makes these files; one that is not there is not made.
pub(super) fn set(group: &Path, file: &str, value: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(group.join(file))?;
    io::Write::write_all(&mut file, value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_where_the_controllers_are() {
        let group = std::env::temp_dir().join(format!("cage-test-{}", std::process::id()));
        fs::create_dir(&group).unwrap();
        assert!(!bound(&group, &CgroupLimits::default()), "no controllers");
        assert_eq!(fs::read_dir(&group).unwrap().count(), 0, "nothing is made up");
        fs::write(group.join("pids.max"), "").unwrap();
        assert!(!bound(&group, &CgroupLimits::default()), "half of them");
        fs::write(group.join("memory.max"), "").unwrap();
        assert!(bound(&group, &CgroupLimits::default()));
        let read = |file| fs::read_to_string(group.join(file)).unwrap();
        let written = (read("pids.max"), read("memory.max"));
        fs::remove_dir_all(&group).unwrap();
        assert_eq!(written, ("512".to_owned(), "1073741824".to_owned()));
    }
}
