//! Killed helpers of children, which become zombies of whoever adopts them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, WaitId, WaitIdOptions, getpid, set_child_subreaper, waitid};

static ADOPTING: AtomicBool = AtomicBool::new(false);

/// Makes the calling process adopt orphaned descendants (`PR_SET_CHILD_SUBREAPER`), and this crate reap those that come
/// from the groups of its children. For programs that run where process 1 does not reap, as in many containers: there,
/// a killed helper of a sidecar stays a zombie for ever.
///
/// It changes the whole process, so a library must not call it: the program's `main` decides. Orphans of *other*
/// children of the process come to it as well, and are not reaped by this crate.
///
/// # Errors
///
/// The system's, where it is not supported.
pub fn adopt_orphans() -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    ADOPTING.store(true, Ordering::Relaxed);
    Ok(())
}

pub(super) fn adopting() -> bool {
    ADOPTING.load(Ordering::Relaxed)
}

/// Reaps what has ended of a group whose leader is reaped. True while members that we adopted are still alive.
///
/// The number is not a stranger's: it stays taken while a member lives or is a zombie, and the caller stops asking with
/// the first `false`, which is when none is left.
pub(super) fn reap_group(group: Pid) -> bool {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    loop {
        match waitid(WaitId::Pgid(Some(group)), ended) {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false, // no such child
        }
    }
}
