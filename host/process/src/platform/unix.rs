//! Linux: a session per child, two permanent threads, one guard process.
//!
//! * [`spawner`]: the one thread that forks. The parent-death signal fires when the forking *thread* ends, so a thread
//!   of a runtime, which may be retired, must not fork.
//! * [`reaper`]: the one thread that sees children end (pidfd), drains their standard error, kills what is left of
//!   their groups and reaps them. Independent of any runtime, so a handle can be dropped anywhere.
//! * [`guard`]: a small process that outlives the owner by a moment, to kill the groups of an owner that was killed.

mod cage;
mod dumps;
mod fence;
mod fork;
mod guard;
mod leader;
mod namespace;
mod orphans;
mod place;
mod privileges;
mod reaper;
mod remains;
mod spawner;
mod strays;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use tokio::net::unix::pipe;

pub use dumps::forbid_core_dumps;
pub(crate) use fork::{try_cgroup, try_files, try_isolation};
pub(crate) use leader::Leader;
pub use orphans::adopt_orphans;

use crate::error::SpawnError;
use crate::spec::Spec;

pub(crate) type InputPipe = pipe::Sender;
pub(crate) type OutputPipe = pipe::Receiver;

/// A child that was started.
pub(crate) struct Born {
    pub(crate) leader: Arc<Leader>,
    pub(crate) stdin: InputPipe,
    pub(crate) stdout: OutputPipe,
}

pub(crate) async fn spawn(spec: Spec) -> Result<Born, SpawnError> {
    let program = spec.program.clone();
    let newborn = spawner::spawn(spec).await?;
    // An early return drops the newborn, which kills it.
    let failed = |source: io::Error| SpawnError::Io { program: program.clone(), source };
    let stdin = pipe::Sender::from_owned_fd(newborn.stdin).map_err(failed)?;
    let stdout = pipe::Receiver::from_owned_fd(newborn.stdout).map_err(failed)?;
    Ok(Born { leader: newborn.leader.claim(), stdin, stdout })
}

/// Neither a link at the end of the path nor a pipe without a writer holds it up.
pub(crate) fn open_without_following(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}
