//! What to run.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::bounds::ProcessLimits;
use crate::cgroup::CgroupLimits;
use crate::reach::FileAccess;

/// Bytes of standard error that are kept unless a [`Spec`] says otherwise: some hundreds of lines, enough for a stack
/// trace of a Node program with its preamble, and 2 MiB for the 32 sidecars of a full host.
pub const STDERR_RING: usize = 64 * 1024;

/// What a child reaches of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkAccess {
    /// All that its owner reaches.
    #[default]
    Owners,
    /// Nothing: it runs in a network namespace of its own, in which there is nothing but a loopback that is down. So do
    /// its children. Sockets that have a name in the file system are no network and stay within reach, as do the
    /// owner's files. Under another user than root it is in a user namespace of its own too, in which files of others
    /// seem to belong to nobody and set-user-id programs give no rights; under root it lacks two capabilities,
    /// `CAP_SYS_ADMIN` and `CAP_SYS_PTRACE`, with which it could go back.
    ///
    /// [`network_isolation`](crate::network_isolation) says beforehand whether the system allows it.
    None,
}

/// What to run, completely: nothing is taken from the environment of the owner, and no shell is involved.
///
/// `Debug` prints the names of variables, never their values, and the number of arguments, never their text: both may
/// hold secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Spec {
    /// The program, as an absolute path: there is no search.
    pub program: PathBuf,
    /// The arguments after the program's name.
    pub args: Vec<OsString>,
    /// The whole environment. Of two entries with one name the later counts.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory.
    pub cwd: PathBuf,
    /// Bytes of standard error to keep; older ones are dropped. [`STDERR_RING`] by default.
    pub stderr_ring: usize,
    /// The name of a variable in [`env`](Self::env) whose value no other process on the machine has, for example the
    /// child's own home directory. When the child has ended, processes that carry it and escaped the group are killed.
    pub mark: Option<OsString>,
    /// What it reaches of the network. [`NetworkAccess::Owners`] by default.
    pub network: NetworkAccess,
    /// What it reaches of the file system. [`FileAccess::Owners`] by default.
    pub files: FileAccess,
    /// What each of its processes may take of the machine.
    pub limits: ProcessLimits,
    /// A control group of its own with these limits, where [`cgroup_containment`](crate::cgroup_containment) says that
    /// there can be one, and as far as it says. None by default.
    pub cgroup: Option<CgroupLimits>,
}

impl Spec {
    /// A program without arguments, in an empty environment.
    pub fn new(program: impl Into<PathBuf>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: cwd.into(),
            stderr_ring: STDERR_RING,
            mark: None,
            network: NetworkAccess::Owners,
            files: FileAccess::Owners,
            limits: ProcessLimits::default(),
            cgroup: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds a variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets [`mark`](Self::mark).
    pub fn mark(mut self, name: impl Into<OsString>) -> Self {
        self.mark = Some(name.into());
        self
    }

    /// Sets [`network`](Self::network).
    pub fn network(mut self, access: NetworkAccess) -> Self {
        self.network = access;
        self
    }

    /// Sets [`cgroup`](Self::cgroup).
    pub fn cgroup(mut self, limits: CgroupLimits) -> Self {
        self.cgroup = Some(limits);
        self
    }

    /// Sets [`files`](Self::files).
    pub fn files(mut self, access: FileAccess) -> Self {
        self.files = access;
        self
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Spec")
            .field("program", &self.program)
            .field("args", &format_args!("{} of them", self.args.len()))
            .field("env", &names)
            .field("cwd", &self.cwd)
            .field("stderr_ring", &self.stderr_ring)
            .field("mark", &self.mark)
            .field("network", &self.network)
            .field("files", &self.files)
            .field("limits", &self.limits)
            .field("cgroup", &self.cgroup)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Spec;

    #[test]
    fn debug_prints_names_and_no_values() {
        let spec = Spec::new("/bin/x", "/").arg("--token=hunter2").env("TOKEN", "hunter3").mark("TOKEN");
        let text = format!("{spec:?}");
        assert!(text.contains("TOKEN") && text.contains("/bin/x"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}
