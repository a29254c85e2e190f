//! Where the control groups of children are made.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{fs, process};

use super::cage;
use crate::cgroup::CgroupError;

/// The marks of systemd on a group that is somebody else's to divide.
const DELEGATED: [&str; 2] = ["trusted.delegate", "user.delegate"];

/// What bounds a child, as the kernel names it.
const CONTROLLERS: [&str; 2] = ["pids", "memory"];

/// What the groups of this process are named: the guard ends them by that.
pub(super) fn prefix(place: &Path) -> OsString {
    place.join(format!("llmp-{}-", process::id())).into()
}

/// Where groups are to be made. Whether they may is another question.
pub(super) fn find() -> Result<&'static Path, CgroupError> {
    static PLACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = PLACE.get_or_init(|| {
        let own =
            own(&fs::read_to_string("/proc/self/cgroup").ok()?, &fs::read_to_string("/proc/self/mountinfo").ok()?)?;
        let place = prepare(&own).to_owned();
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

/// The own group, or the one above it where that was given: there the controllers are turned on. In the own group the
/// kernel refuses that, since this process is in it.
fn prepare(own: &Path) -> &Path {
    let Some(given) = own.parent().filter(|above| is_delegated(above)) else { return own };
    turn_on(given);
    given
}

fn is_delegated(group: &Path) -> bool {
    DELEGATED.iter().any(|name| {
        let mut value = [0; 1];
        rustix::fs::getxattr(group, *name, &mut value).is_ok_and(|length| length == 1) && value == *b"1"
    })
}

/// Turns the controllers on for the groups in this one. systemd makes them available to a group that it delegates, and
/// leaves this step to whom it is given.
fn turn_on(group: &Path) {
    let available = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    for controller in CONTROLLERS {
        if !available.split_whitespace().any(|name| name == controller) {
            tracing::debug!(group = %group.display(), controller, "this controller is not given");
            continue;
        }
        // One by one: of what is written at once, the kernel takes all or nothing.
        if let Err(error) = cage::set(group, "cgroup.subtree_control", &format!("+{controller}")) {
            tracing::debug!(group = %group.display(), controller, %error, "this controller was not turned on");
        }
    }
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
    use rustix::fs::{XattrFlags, setxattr};

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

    /// A plain directory in the place of a group: what was written last is at the beginning of the file.
    #[test]
    fn controllers_are_turned_on_where_they_are_given() {
        let group = std::env::temp_dir().join(format!("place-test-{}", process::id()));
        fs::create_dir(&group).unwrap();
        let after = |controllers: &str| {
            fs::write(group.join("cgroup.controllers"), controllers).unwrap();
            fs::write(group.join("cgroup.subtree_control"), "").unwrap();
            turn_on(&group);
            fs::read_to_string(group.join("cgroup.subtree_control")).unwrap()
        };
        let outcomes = ["cpu pids\n", "cpuset memory io\n", "pids memory\n", "hugetlb pidsx\n"].map(after);
        fs::remove_file(group.join("cgroup.subtree_control")).unwrap();
        turn_on(&group);
        let left = fs::read_dir(&group).unwrap().count();
        fs::remove_dir_all(&group).unwrap();
        assert_eq!(outcomes, ["+pids", "+memory", "+memory", ""], "each by itself");
        assert_eq!(left, 1, "nothing is made up");
    }

    #[test]
    fn only_a_group_that_was_given_is_changed() {
        let above = std::env::temp_dir().join(format!("place-given-{}", process::id()));
        let own = above.join("host");
        fs::create_dir_all(&own).unwrap();
        for group in [&above, &own] {
            fs::write(group.join("cgroup.controllers"), "pids").unwrap();
            fs::write(group.join("cgroup.subtree_control"), "").unwrap();
        }
        let turned_on =
            || [&above, &own].map(|group| fs::read_to_string(group.join("cgroup.subtree_control")).unwrap());
        let before = (prepare(&own).to_owned(), turned_on());
        let marked = setxattr(&above, "user.delegate", b"1", XattrFlags::empty());
        let after = (prepare(&own).to_owned(), turned_on());
        fs::remove_dir_all(&above).unwrap();
        assert_eq!(before, (own.clone(), ["", ""].map(str::to_owned)));
        match marked {
            Ok(()) => assert_eq!(after, (above, ["+pids", ""].map(str::to_owned))),
            Err(error) => println!("NO MARKS ON DIRECTORIES HERE: {error}"),
        }
    }
}
