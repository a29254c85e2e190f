//! Child processes that never outlive their owner.
//!
//! A sidecar is a foreign program: it crashes, hangs, floods its standard error, forks helpers of its own and ignores
//! polite requests. This crate starts one with an exact environment and says when and how it ended, and holds these
//! promises on Linux:
//!
//! * **A child is a group.** It leads its own session; every signal of this crate goes to the whole process group, so
//!   helpers that it forked end with it. When the child ends by itself, what is left of its group is killed.
//! * **Nothing outlives the owner.** Dropping [`Child`] kills the group, inside a runtime or outside. When the owning
//!   *process* is killed, the kernel kills the child (parent-death signal) and a guard process kills its group.
//! * **No zombies, no wrong victims.** Every child is reaped, and its group is signalled only while the child is still
//!   unreaped, so that its number cannot belong to anybody else.
//! * **Nothing is inherited by accident.** The environment is cleared, no descriptor but the three standard ones
//!   survives `exec`, signal dispositions are reset, the umask is 077, and there are no core dumps.
//! * **No more rights than the owner's, and bounded.** No program gives it others (set-user-id), and [`ProcessLimits`]
//!   bound what it takes.
//! * **A child may be held to some files.** With [`FileAccess::Only`] it reaches what was granted and what every
//!   program needs, as far as the kernel can ([`file_containment`]).
//! * **A child may have no network.** With [`NetworkAccess::None`] it reaches no machine and no port, not even this
//!   machine's own, and speaks over its pipes only. Where the system does not allow that, the start fails.
//! * **Standard error never blocks the child** and never grows the owner: it is drained into a ring.
//!
//! Elsewhere than on Linux [`Child::spawn`] answers [`SpawnError::Unsupported`].
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use llm_provider_process::{Child, Spec};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let spec = Spec::new("/bin/cat", "/tmp").env("PATH", "/usr/bin:/bin");
//! let mut running = Child::spawn(spec).await?;
//! running.stdin.write_all(b"hello").await?;
//! let mut answer = [0; 5];
//! running.stdout.read_exact(&mut answer).await?;
//! let exit = running.child.stop(std::time::Duration::from_secs(5)).await;
//! assert!(exit.success());
//! # Ok(())
//! # }
//! ```
//!
//! # What is not promised
//!
//! A descendant that leaves the group (`setsid` in a forked helper) escapes a group signal. [`Spec::mark`] finds those
//! that kept their environment; one that also cleaned its environment ends with the child's control group
//! ([`Spec::cgroup`]), where the operator has given a place for one.

#![deny(missing_docs)]

mod bounds;
mod cgroup;
mod child;
mod containment;
mod error;
mod exit;
mod isolation;
mod left_behind;
mod pipes;
mod platform;
mod probe;
mod reach;
mod ring;
mod spec;

pub use bounds::ProcessLimits;
pub use cgroup::{CGROUP_HINT, CgroupContainment, CgroupError, CgroupLimits, cgroup_containment};
pub use child::{Child, Running, TERM_GRACE};
pub use containment::{Containment, containment};
pub use error::{ProbeError, SpawnError};
pub use exit::Exit;
pub use isolation::{IsolationError, network_isolation};
pub use left_behind::open_left_behind;
pub use pipes::{Stdin, Stdout};
pub use platform::{adopt_orphans, forbid_core_dumps};
pub use probe::{ProbeOutput, probe};
pub use reach::{FileAccess, FileContainment, FileContainmentError, Grants, file_containment};
pub use spec::{NetworkAccess, STDERR_RING, Spec};
