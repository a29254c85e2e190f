//! The child's reach in the file system: a ruleset of landlock that is made before the fork and entered after it.
//!
//! What is denied is decided here once, by a fixed version of the kernel's interface, and a kernel that knows less
//! denies less. A later version denies more, and needs to be tried with the programs that run here before it is taken.

use std::error::Error;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fs::FileType;
use rustix::io::Errno;

use super::fork::is_exhaustion;
use crate::reach::{FileContainment, FileContainmentError, Grants};

/// The interface whose rights are denied unless granted.
const KNOWN: ABI = ABI::V7;

/// To read and run: programs and libraries, as the hierarchy standard names them; then where NixOS and Guix keep them.
const PROGRAMS: [&str; 11] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/nix/store",
    "/gnu/store",
    "/run/current-system",
];

/// To read: how programs are loaded, names resolved, certificates checked, and what the machine is like. Not all of
/// `/etc`, which has the keys and passwords of services. In `/proc` the memory, environment and descriptors of others
/// are denied by the same rules, since those processes are outside.
const SETTINGS: [&str; 37] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/protocols",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
    // Not the directories above these: they hold private keys too, which root's powers over modes would open.
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/static/ssl/certs",
    "/etc/passwd",
    "/etc/group",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/os-release",
    "/etc/mime.types",
    "/etc/gitconfig",
    "/proc",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
];

/// To read and write: devices that hold nothing, and the two through which a tool gets a terminal of its own. The
/// terminals of others are there too: those the rights of the user must deny.
const DEVICES: [&str; 7] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/pts"];

/// What the forked process enters.
pub(super) struct Fence(OwnedFd);

/// Makes the ruleset. Nothing where the kernel has none.
///
/// # Errors
///
/// Where there are no descriptors or memory left for it.
pub(super) fn prepare(grants: &Grants) -> io::Result<Option<Fence>> {
    let ruleset = ruleset(grants)?;
    Ok(Option::<OwnedFd>::from(ruleset).map(Fence))
}

impl Fence {
    /// Runs in the forked process, which may gain no privileges any more. There is no way back.
    pub(super) fn enter(&self) -> io::Result<()> {
        // SAFETY: a plain system call on a descriptor that this process has and a number. The raw call, since the
        // `landlock` crate's own keeps books, which is not for a process between fork and exec.
        let returned = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.0.as_raw_fd(), 0) };
        if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// What this kernel knows of it. Whether it may be used is another question.
pub(super) fn known() -> Result<FileContainment, FileContainmentError> {
    const VERSION: libc::c_ulong = 1; // LANDLOCK_CREATE_RULESET_VERSION: no ruleset, but the number
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call takes no pointer and no size, and gives a number instead of a descriptor.
    let answer = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) };
    let Ok(version) = u32::try_from(answer) else {
        let disabled = Errno::from_io_error(&io::Error::last_os_error()) == Some(Errno::OPNOTSUPP);
        return Err(if disabled { FileContainmentError::Disabled } else { FileContainmentError::Unsupported });
    };
    let version = version.min(KNOWN as u32);
    let since = |abi: ABI| version >= abi as u32;
    Ok(FileContainment { version, truncation: since(ABI::V3), devices: since(ABI::V5), scopes: since(ABI::V6) })
}

fn ruleset(grants: &Grants) -> io::Result<RulesetCreated> {
    let (read, run, all) =
        (AccessFs::ReadFile | AccessFs::ReadDir, AccessFs::from_read(KNOWN), AccessFs::from_all(KNOWN));
    // A device of the disk's numbers would be the disk.
    let own = all & !(AccessFs::MakeBlock | AccessFs::MakeChar);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::IoctlDev;
    let made = Ruleset::default().handle_access(all).and_then(|rules| rules.scope(Scope::from_all(KNOWN)));
    let mut rules = made.and_then(Ruleset::create).map_err(|error| told(&error))?;
    let always = [(PROGRAMS.as_slice(), run), (SETTINGS.as_slice(), read), (DEVICES.as_slice(), device)];
    let always =
        always.into_iter().flat_map(|(paths, access)| paths.iter().map(move |path| (Path::new(*path), access)));
    let readable = grants.readable.iter().map(|path| (path.as_path(), run));
    let writable = grants.writable.iter().map(|path| (path.as_path(), own));
    for (path, access) in always.chain(readable).chain(writable) {
        rules = grant(rules, path, access)?;
    }
    Ok(rules)
}

/// Adds a rule. What is not there, or may not be seen even by the owner, is not granted.
fn grant(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    let opened = match PathFd::new(path) {
        Ok(opened) => opened,
        Err(PathFdError::OpenCall { source, .. }) => {
            return match Errno::from_io_error(&source) {
                Some(errno) if is_exhaustion(errno) => Err(source),
                _ => Ok(rules),
            };
        }
        Err(error) => return Err(told(&error)),
    };
    // A right that concerns directories is an error on anything else.
    let is_directory = FileType::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode) == FileType::Directory;
    let access = if is_directory { access } else { access & AccessFs::from_file(KNOWN) };
    rules.add_rule(PathBeneath::new(opened, access)).map_err(|error: RulesetError| told(&error))
}

/// The system's error below one of the crate's, which says whether trying again makes sense.
fn told(error: &(dyn Error + 'static)) -> io::Error {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(code) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return io::Error::from_raw_os_error(code);
        }
        cause = error.source();
    }
    io::Error::other(error.to_string())
}
