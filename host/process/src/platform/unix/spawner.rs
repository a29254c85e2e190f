//! The one thread that forks.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::leader::{Leader, Unclaimed};
use super::reaper::{self, Watch};
use super::{fork, guard};
use crate::error::SpawnError;
use crate::spec::Spec;

/// Starts that may wait. A fork takes about a millisecond, so this is a tenth of a second of work; more is a storm.
const QUEUE: usize = 128;

/// A child on its way to its owner.
pub(super) struct Newborn {
    pub(super) leader: Unclaimed,
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
}

struct Request {
    spec: Spec,
    reply: oneshot::Sender<Result<Newborn, SpawnError>>,
}

/// The way to the thread, which is started by the first spawn and **never ends**: the kernel kills its children when it
/// does. It ends only with the process, since this sender is never dropped and `serve` has no other way out.
static THREAD: Mutex<Option<SyncSender<Request>>> = Mutex::new(None);

pub(super) async fn spawn(spec: Spec) -> Result<Newborn, SpawnError> {
    let (reply, answer) = oneshot::channel();
    submit(Request { spec, reply })?;
    // Without an answer the thread is gone, which its invariant excludes.
    answer.await.unwrap_or_else(|_| Err(exhausted(io::ErrorKind::Other)))
}

fn submit(request: Request) -> Result<(), SpawnError> {
    let mut thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if thread.is_none() {
        let (sender, requests) = sync_channel(QUEUE);
        let started = thread::Builder::new().name("llmp-spawner".into()).spawn(move || serve(&requests));
        started.map_err(|source| SpawnError::Exhausted { source })?;
        *thread = Some(sender);
    }
    let Some(sender) = thread.as_ref() else { return Err(exhausted(io::ErrorKind::Other)) };
    sender.try_send(request).map_err(|error| match error {
        TrySendError::Full(_) => exhausted(io::ErrorKind::WouldBlock),
        TrySendError::Disconnected(_) => exhausted(io::ErrorKind::Other),
    })
}

fn exhausted(kind: io::ErrorKind) -> SpawnError {
    SpawnError::Exhausted { source: kind.into() }
}

fn serve(requests: &Receiver<Request>) {
    while let Ok(Request { spec, reply }) = requests.recv() {
        if reply.is_closed() {
            continue; // given up while it waited
        }
        let outcome = start(&spec);
        if let Err(error) = &outcome {
            tracing::debug!(program = %spec.program.display(), %error, "child not started");
        }
        // A reply that nobody takes is dropped, and a newborn in it killed.
        drop(reply.send(outcome));
    }
}

fn start(spec: &Spec) -> Result<Newborn, SpawnError> {
    // First, so that nothing has to be undone where there are no descriptors left for them.
    reaper::ready().map_err(|source| SpawnError::Exhausted { source })?;
    let ward = guard::ready().map_err(|source| SpawnError::Exhausted { source })?;
    let forked = fork::child(spec)?;
    ward.protect(forked.pid);
    let leader = Arc::new(Leader::new(forked.pid, spec.stderr_ring));
    let watch = Watch::new(Arc::clone(&leader), forked.stderr, forked.cage, spec);
    reaper::watch(watch).map_err(|source| SpawnError::Exhausted { source })?;
    tracing::debug!(program = %spec.program.display(), pid = leader.pid(), "child started");
    Ok(Newborn { leader: Unclaimed::new(leader), stdin: forked.stdin, stdout: forked.stdout })
}
