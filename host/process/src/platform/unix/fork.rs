//! The only `Command` of the product, and with the system calls of `namespace` and `fence` its only `unsafe`.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, getrlimit, set_parent_process_death_signal, setrlimit, setsid,
    umask,
};
use rustix::thread::set_no_new_privs;

use super::cage::{Cage, Entry};
use super::fence::{self, Fence};
use super::namespace::{self, Departure, Witness};
use super::{place, privileges};
use crate::bounds::ProcessLimits;
use crate::cgroup::{CgroupContainment, CgroupError, CgroupLimits, cgroup_containment};
use crate::error::SpawnError;
use crate::isolation::IsolationError;
use crate::reach::{FileAccess, FileContainment, FileContainmentError, Grants, file_containment};
use crate::spec::{NetworkAccess, Spec};

/// What a forked process says that has done what was to be tried and is not to run anything.
const DONE: Errno = Errno::CANCELED;

/// A process that was just forked and runs its program. Nothing kills or reaps it by itself.
pub(super) struct Forked {
    pub(super) pid: Pid,
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) cage: Option<Cage>,
}

/// Starts `spec` as the leader of a new session, to be killed by the kernel when the calling thread ends.
pub(super) fn child(spec: &Spec) -> Result<Forked, SpawnError> {
    check(spec)?;
    let (departure, witness) = match spec.network {
        NetworkAccess::Owners => (None, None),
        NetworkAccess::None => {
            let (departure, witness) = namespace::prepare().map_err(|source| SpawnError::Exhausted { source })?;
            (Some(departure), Some(witness))
        }
    };
    let fence = fence(spec)?;
    let (cage, entry) = cage(spec)?.unzip();
    let contained = spec.files != FileAccess::Owners;
    let limits = spec.limits;
    let owner = getpid();
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).env_clear().current_dir(&spec.cwd);
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: the closure runs between fork and exec of a threaded process, where only async-signal-safe functions may
    // be called. What it calls makes plain system calls, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            isolate()?;
            entry.as_ref().map_or(Ok(()), Entry::enter)?;
            departure.as_ref().map_or(Ok(()), Departure::leave)?;
            // After what opens files: an owner may hold more of them than the child may.
            bound(&limits)?;
            // A set-user-id program would have rights that its owner has not, and could not be killed by it.
            set_no_new_privs(true)?;
            if contained {
                privileges::shed()?;
            }
            fence.as_ref().map_or(Ok(()), Fence::enter)?;
            die_with(owner)
        })
    };
    let child = command.spawn().map_err(|source| match witness.and_then(Witness::refusal) {
        // Short of memory or processes, like any start.
        Some(IsolationError::Untried { .. }) => SpawnError::Exhausted { source },
        Some(reason) => SpawnError::Isolation { program: spec.program.clone(), reason },
        None => classify(spec, source),
    })?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    match (pid, child.stdin, child.stdout, child.stderr) {
        (Some(pid), Some(stdin), Some(stdout), Some(stderr)) => {
            Ok(Forked { pid, stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into(), cage })
        }
        // All three were asked for, and a process number is positive.
        _ => Err(SpawnError::Io { program: spec.program.clone(), source: io::ErrorKind::Other.into() }),
    }
}

/// Finds out whether a child can leave the network: a process is forked, tries, and ends instead of running a program.
pub(crate) fn try_isolation() -> Result<(), IsolationError> {
    let untried = |error: &io::Error| IsolationError::Untried { code: error.raw_os_error().unwrap_or(0) };
    let (departure, witness) = namespace::prepare().map_err(|error| untried(&error))?;
    let mut command = Command::new("/");
    command.env_clear();
    // SAFETY: as above.
    unsafe {
        command.pre_exec(move || {
            departure.leave()?;
            Err(DONE.into())
        })
    };
    // That process never gets to `exec`, and is reaped by the time this returns.
    let Err(error) = command.spawn() else { return Err(IsolationError::Untried { code: 0 }) };
    match witness.refusal() {
        Some(reason) => Err(reason),
        None if Errno::from_io_error(&error) == Some(DONE) => Ok(()),
        None => Err(untried(&error)),
    }
}

/// Finds out whether a child's files can be bounded, in the same way.
pub(crate) fn try_files() -> Result<FileContainment, FileContainmentError> {
    let untried = |error: &io::Error| FileContainmentError::Untried { code: error.raw_os_error().unwrap_or(0) };
    let known = fence::known()?;
    let fence = fence::prepare(&Grants::default()).map_err(|error| untried(&error))?;
    let Some(fence) = fence else { return Err(FileContainmentError::Unsupported) };
    let mut command = Command::new("/");
    command.env_clear();
    // SAFETY: as above.
    unsafe {
        command.pre_exec(move || {
            set_no_new_privs(true)?;
            fence.enter()?;
            Err(DONE.into())
        })
    };
    let Err(error) = command.spawn() else { return Err(FileContainmentError::Untried { code: 0 }) };
    match Errno::from_io_error(&error) {
        Some(DONE) => Ok(known),
        Some(errno) if is_exhaustion(errno) => Err(untried(&error)),
        errno => Err(FileContainmentError::Denied { code: errno.map_or(0, Errno::raw_os_error) }),
    }
}

/// Finds out whether a child can have a control group, in the same way.
pub(crate) fn try_cgroup() -> Result<CgroupContainment, CgroupError> {
    let place = place::find()?;
    let refused = |error: io::Error| {
        let code = error.raw_os_error().unwrap_or(0);
        match Errno::from_io_error(&error) {
            Some(errno) if is_exhaustion(errno) => CgroupError::Untried { code },
            _ if error.kind() == io::ErrorKind::Unsupported => CgroupError::Unsupported,
            _ => CgroupError::NotGiven { directory: place.to_owned(), code },
        }
    };
    let (cage, entry) = Cage::make(place, &CgroupLimits::default()).map_err(refused)?;
    let mut command = Command::new("/");
    command.env_clear();
    // SAFETY: as above.
    unsafe {
        command.pre_exec(move || {
            entry.enter()?;
            Err(DONE.into())
        })
    };
    let Err(error) = command.spawn() else { return Err(CgroupError::Untried { code: 0 }) };
    if Errno::from_io_error(&error) == Some(DONE) {
        return Ok(CgroupContainment { limits: cage.limited });
    }
    Err(refused(error))
}

/// The child's control group and the way into it, where the machine has one for it.
fn cage(spec: &Spec) -> Result<Option<(Cage, Entry)>, SpawnError> {
    let Some(limits) = &spec.cgroup else { return Ok(None) };
    let made = match (cgroup_containment(), place::find()) {
        (Ok(_), Ok(place)) => Cage::make(place, limits),
        (Err(CgroupError::Untried { code }), _) => Err(io::Error::from_raw_os_error(code)),
        _ => return Ok(None),
    };
    made.map(Some).map_err(|source| unprepared(spec, source))
}

fn unprepared(spec: &Spec, source: io::Error) -> SpawnError {
    match Errno::from_io_error(&source) {
        Some(errno) if is_exhaustion(errno) => SpawnError::Exhausted { source },
        _ => SpawnError::Io { program: spec.program.clone(), source },
    }
}

/// What holds the child to its files, as far as the machine can.
fn fence(spec: &Spec) -> Result<Option<Fence>, SpawnError> {
    let FileAccess::Only(grants) = &spec.files else { return Ok(None) };
    match file_containment() {
        Ok(_) => fence::prepare(grants).map_err(|source| unprepared(spec, source)),
        Err(FileContainmentError::Untried { code }) => {
            Err(SpawnError::Exhausted { source: io::Error::from_raw_os_error(code) })
        }
        Err(_) => Ok(None),
    }
}

/// Starts the shell with a script that reads `input`, in its own session, to outlive the calling process.
/// It gets the beginning of the names of this process's control groups.
pub(super) fn guard(shell: &Path, script: &str, input: OwnedFd) -> io::Result<std::process::Child> {
    let mut command = Command::new(shell);
    command.arg("-c").arg(script).arg("llm-provider-guard").env_clear().current_dir("/");
    command.envs(place::find().map(|place| ("CAGES", place::prefix(place))));
    command.stdin(input).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: as above; `isolate` makes plain system calls only.
    unsafe { command.pre_exec(isolate) };
    command.spawn()
}

/// Runs in the forked process. Nothing of the owner reaches the program but the three standard descriptors.
fn isolate() -> io::Result<()> {
    reset_signals();
    setsid()?;
    umask(Mode::RWXG | Mode::RWXO);
    close_on_exec_from(3);
    Ok(())
}

/// Runs in the forked process.
fn bound(limits: &ProcessLimits) -> io::Result<()> {
    let all = [
        (Resource::Core, Some(limits.core_bytes)),
        (Resource::Nofile, Some(limits.descriptors)),
        (Resource::Fsize, Some(limits.file_bytes)),
        (Resource::Data, limits.data_bytes),
    ];
    for (resource, wanted) in all {
        let Some(wanted) = wanted else { continue };
        // Nobody but root may raise a hard limit, and what the operator set is not ours to raise.
        let most = Some(getrlimit(resource).maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        setrlimit(resource, Rlimit { current: most, maximum: most })?;
    }
    Ok(())
}

/// Runs in the forked process: asks the kernel to kill it when the forking thread ends.
fn die_with(owner: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The owner may have died before the line above; then nobody will ever send that signal.
    if getppid() == Some(owner) { Ok(()) } else { Err(Errno::SRCH.into()) }
}

/// An owner that ignores signals (`nohup`, a daemon) would hand that down; the program wants the defaults. The standard
/// library has emptied the mask already.
fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: async-signal-safe by POSIX, installs no handler. It fails for SIGKILL, SIGSTOP and the
        // two that the C library keeps for itself, which is fine.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// The standard library opens everything close-on-exec; C libraries in the owner may not.
fn close_on_exec_from(first: libc::c_uint) {
    let flags = libc::c_uint::try_from(libc::CLOSE_RANGE_CLOEXEC).unwrap_or(0);
    // SAFETY: a plain system call on numbers. The raw call, since the C library's wrapper is newer than the kernel's
    // call. A kernel older than 5.11 refuses it, and the standard library's own care is then all there is.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
}

fn check(spec: &Spec) -> Result<(), SpawnError> {
    if !spec.program.is_absolute() {
        return Err(SpawnError::RelativeProgram { program: spec.program.clone() });
    }
    let has_nul = |text: &OsStr| text.as_bytes().contains(&0);
    if has_nul(spec.program.as_os_str()) || has_nul(spec.cwd.as_os_str()) {
        return Err(SpawnError::Malformed { what: "a path has a NUL byte" });
    }
    if spec.args.iter().any(|arg| has_nul(arg)) {
        return Err(SpawnError::Malformed { what: "an argument has a NUL byte" });
    }
    let bad_name = |name: &OsStr| name.is_empty() || has_nul(name) || name.as_bytes().contains(&b'=');
    if spec.env.iter().any(|(name, value)| bad_name(name) || has_nul(value)) {
        return Err(SpawnError::Malformed { what: "a variable has an empty name, a name with '=', or a NUL byte" });
    }
    Ok(())
}

fn classify(spec: &Spec, source: io::Error) -> SpawnError {
    let program = spec.program.clone();
    match Errno::from_io_error(&source) {
        Some(errno) if is_exhaustion(errno) => SpawnError::Exhausted { source },
        // `exec` and `chdir` fail alike; only looking again can tell which it was.
        _ if !spec.cwd.is_dir() => SpawnError::WorkingDirectory { cwd: spec.cwd.clone() },
        Some(Errno::NOENT | Errno::NOTDIR) => SpawnError::NotFound { program },
        Some(Errno::ACCESS | Errno::PERM | Errno::NOEXEC | Errno::ISDIR) => {
            SpawnError::NotExecutable { program, source }
        }
        _ => SpawnError::Io { program, source },
    }
}

pub(super) fn is_exhaustion(errno: Errno) -> bool {
    matches!(errno, Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM)
}
