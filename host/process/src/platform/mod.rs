//! What differs between operating systems, behind one seam.
//!
//! A platform gives: `spawn(Spec) -> Born`, `try_isolation`, `try_files`, `try_cgroup`, `open_without_following`, a `Leader` (pid, terminate, kill, wait,
//! try_wait, stderr_tail), the two pipe types, and `adopt_orphans`. macOS wants kqueue in place of pidfd and relies on the guard alone, having no
//! parent-death signal; Windows wants a job object that kills on close, which gives all the promises at once.

#[cfg(target_os = "linux")]
mod unix;
#[cfg(target_os = "linux")]
pub(crate) use unix::{
    InputPipe, Leader, OutputPipe, open_without_following, spawn, try_cgroup, try_files, try_isolation,
};
#[cfg(target_os = "linux")]
pub use unix::{adopt_orphans, forbid_core_dumps};

#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::{
    InputPipe, Leader, OutputPipe, open_without_following, spawn, try_cgroup, try_files, try_isolation,
};
#[cfg(not(target_os = "linux"))]
pub use unsupported::{adopt_orphans, forbid_core_dumps};
