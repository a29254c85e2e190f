//! A control group (version 2) of a child's own: nothing leaves it, and it ends at once with all that is in it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{process, thread};

use crate::cgroup::{CgroupError, CgroupLimits};

/// The marks of systemd on a group that is somebody else's to divide.
const DELEGATED: [&str; 2] = ["trusted.delegate", "user.delegate"];

/// Looks at a group that was killed until it is empty: killed processes end within milliseconds, unless the kernel has
/// them wait for a device. Such a group is left to be swept later.
const LOOKS: usize = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A group. Dropping it kills whatever is in it, and removes it.
#[derive(Debug)]
pub(super) struct Cage {
    directory: PathBuf,
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
        let mut directory = prefix(place);
        directory.push(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        let directory = PathBuf::from(directory);
        fs::create_dir(&directory)?;
        // From here on it is removed whatever happens.
        let mut cage = Self { directory, limited: false };
        if !cage.directory.join("cgroup.kill").exists() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        cage.limited = bound(&cage.directory, limits);
        let entry = OpenOptions::new().write(true).open(cage.directory.join("cgroup.procs"))?;
        Ok((cage, Entry(entry)))
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
        // One that was never entered, or that somebody else removed, has nothing to kill.
        let _ = set(&self.directory, "cgroup.kill", "1");
        for _ in 0..LOOKS {
            match fs::remove_dir(&self.directory) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::sleep(BETWEEN_LOOKS),
                _ => return,
            }
        }
        tracing::warn!(group = %self.directory.display(), "processes of a child that was killed have not ended yet");
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
fn set(group: &Path, file: &str, value: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(group.join(file))?;
    io::Write::write_all(&mut file, value.as_bytes())
}

/// What the groups of this process are named: the guard ends them by that.
pub(super) fn prefix(place: &Path) -> OsString {
    place.join(format!("llmp-{}-", process::id())).into()
}

/// Where groups are to be made. Whether they may is another question.
pub(super) fn place() -> Result<&'static Path, CgroupError> {
    static PLACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = PLACE.get_or_init(|| {
        let own =
            own(&fs::read_to_string("/proc/self/cgroup").ok()?, &fs::read_to_string("/proc/self/mountinfo").ok()?)?;
        let place = own.parent().filter(|above| is_delegated(above)).unwrap_or(&own).to_owned();
        sweep(&place);
        Some(place)
    });
    found.as_deref().ok_or(CgroupError::Unsupported)
}

/// The directory of this process's group, by the kernel's tables of groups and of mounts.
fn own(groups: &str, mounts: &str) -> Option<PathBuf> {
    let group = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        // A space in a path is written in octal. Nobody mounts groups there.
        let plain = kind.starts_with("cgroup2 ") && !point.contains('\\');
        // Outside of what is mounted, as seen from a container: `/..`.
        let below = group.strip_prefix(root).ok().filter(|path| !path.starts_with(".."))?;
        plain.then(|| Path::new(point).join(below))
    })
}

fn is_delegated(group: &Path) -> bool {
    DELEGATED.iter().any(|name| {
        let mut value = [0; 1];
        rustix::fs::getxattr(group, *name, &mut value).is_ok_and(|length| length == 1) && value == *b"1"
    })
}

/// Removes what owners that were killed have left. The guard has ended the processes; one with processes stays.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix("llmp-")?.split_once('-')?.0.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str =
        "24 1 0:22 / /proc rw - proc proc rw\n41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 c rw\n";

    #[test]
    fn the_own_group_is_found_below_the_mount() {
        let found = |groups, mounts: &str| own(groups, mounts).map(|path| path.display().to_string());
        let service = "8:pids:/x\n0::/system.slice/llmp.service\n";
        assert_eq!(found(service, MOUNTS).as_deref(), Some("/sys/fs/cgroup/system.slice/llmp.service"));
        let container = MOUNTS.replace(":38 / ", ":38 /system.slice ");
        assert_eq!(found(service, &container).as_deref(), Some("/sys/fs/cgroup/llmp.service"));
        assert_eq!(found("0::/../other\n", MOUNTS), None, "outside of the namespace");
        assert_eq!(found("8:pids:/\n", MOUNTS), None, "version 1 alone");
        assert_eq!(found(service, "24 1 0:22 / /proc rw - proc proc rw\n"), None, "not mounted");
    }

    #[test]
    fn limits_are_written_where_the_controllers_are() {
        let group = std::env::temp_dir().join(format!("cage-test-{}", process::id()));
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
