//! One run of a sidecar: a task that starts the process, pumps its pipes and tells how it ended.

use super::peer::{self, Peer, Reached};
use super::program::{SidecarProgram, SidecarUnavailable, Wanted};
use super::{output, report};
use crate::bindings::exports::llm::provider::provider::{Input, SidecarEnd, SidecarFault, SidecarStart};
use crate::bindings::llm::provider::sidecar::StopMode;
use crate::bindings::llm::provider::sidecar_types::{Exit, SidecarId, Started};
use crate::limits::Limits;
use crate::quota::Hold;
use crate::scrub::Scrubber;
use crate::tasks::{self, Task};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

/// Marks the processes of a run, so that descendants that left its group are found.
const MARK: &str = "LLMP_SIDECAR_RUN";
/// Orders that wait for a run; with their bytes bounded by [`Limits::sidecar_pending_bytes`].
const ORDERS: usize = 1_024;

/// What a run needs.
pub(crate) struct RunContext {
    pub(crate) id: SidecarId,
    pub(crate) program: Arc<dyn SidecarProgram>,
    pub(crate) tenant_directory: PathBuf,
    /// The plugin's settings, for the catalogue entry to check.
    pub(crate) settings: BTreeMap<String, String>,
    /// Variables with their secret values.
    pub(crate) secret_variables: Vec<(String, Zeroizing<String>)>,
    pub(crate) scrubber: Scrubber,
    pub(crate) limits: Limits,
    /// Where its inputs go. A full mailbox stops the reading.
    pub(crate) inputs: mpsc::Sender<Input>,
    /// Its place among the sidecars of its tenant, kept until its process has ended.
    pub(crate) _hold: Hold,
}

/// Something to do with a run, when what was ordered before is done.
pub(crate) enum Order {
    Write(Zeroizing<Vec<u8>>),
    CloseInput,
    /// End it politely.
    Stop,
}

/// The handle of a run. Dropping it kills the process with all its children.
pub(crate) struct Run {
    orders: mpsc::Sender<Order>,
    pending: Arc<AtomicUsize>,
    limit: usize,
    /// Waits for nothing: neither for what was ordered before, nor for its start.
    killed: watch::Sender<bool>,
    _task: Task,
}

impl Run {
    pub(crate) fn start(context: RunContext) -> Self {
        let (orders, receiver) = mpsc::channel(ORDERS);
        let (killed, kill) = watch::channel(false);
        let pending = Arc::new(AtomicUsize::new(0));
        let limit = context.limits.sidecar_pending_bytes;
        let task = tasks::spawn(live(context, receiver, kill, Arc::clone(&pending)));
        Self { orders, pending, limit, killed, _task: task }
    }

    /// Hands over an order. False when too much waits already: the process does not read.
    pub(crate) fn order(&self, order: Order) -> bool {
        let size = if let Order::Write(bytes) = &order { bytes.len() } else { 0 };
        let waiting = self.pending.fetch_add(size, Ordering::Relaxed).saturating_add(size);
        let sent = if waiting > self.limit { Ok(false) } else { self.orders.try_send(order).map(|()| true) };
        if !matches!(sent, Ok(true)) {
            self.pending.fetch_sub(size, Ordering::Relaxed);
        }
        // Closed: it has ended, and what is ordered has no meaning.
        matches!(sent, Ok(true) | Err(mpsc::error::TrySendError::Closed(_)))
    }

    /// Ends it. A kill is at once, whatever waits; one that cannot be told politely is killed.
    pub(crate) fn stop(&self, mode: StopMode) {
        match mode {
            StopMode::Graceful if self.order(Order::Stop) => {}
            StopMode::Graceful | StopMode::Kill => drop(self.killed.send_replace(true)),
        }
    }
}

async fn live(
    context: RunContext,
    orders: mpsc::Receiver<Order>,
    mut kill: watch::Receiver<bool>,
    pending: Arc<AtomicUsize>,
) {
    let id = context.id;
    let inputs = context.inputs.clone();
    let started = tokio::select! {
        biased;
        () = killed(&mut kill) => {
            Err(SidecarUnavailable { message: "it was ended before it had started".to_owned(), hint: None })
        }
        started = start(&context) => started,
    };
    let last = match started {
        Ok(running) => {
            let started = running.started.clone();
            let told = inputs.send(Input::SidecarStarted(SidecarStart { id, started })).await;
            if told.is_err() {
                return; // the instance is gone; dropping the child ends it
            }
            Input::SidecarExited(SidecarEnd { id, exit: pump(context, running, orders, kill, pending).await })
        }
        Err(SidecarUnavailable { message, hint }) => Input::SidecarFailed(SidecarFault { id, message, hint }),
    };
    drop(inputs.send(last).await);
}

/// Waits for the order to end it at once. One whose handle is gone is not waited for: its task ends with the handle.
async fn killed(kill: &mut watch::Receiver<bool>) {
    if kill.wait_for(|killed| *killed).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A run under way.
struct Running {
    reached: Reached,
    started: Started,
    report: Option<PathBuf>,
}

async fn start(context: &RunContext) -> Result<Running, SidecarUnavailable> {
    let names: Vec<String> = context.secret_variables.iter().map(|(name, _)| name.clone()).collect();
    let wanted =
        Wanted { tenant_directory: &context.tenant_directory, secret_variables: &names, settings: &context.settings };
    let scrubbed =
        |error: SidecarUnavailable| SidecarUnavailable { message: context.scrubber.text(&error.message), ..error };
    let launch = context.program.prepare(wanted).await.map_err(scrubbed)?;
    tracing::debug!(sidecar = context.program.name(), version = launch.version, start = ?launch.start, "starting");
    let reached = Peer::reach(launch.start, |spec| {
        let mut spec = spec.env(MARK, unique()).mark(MARK);
        spec.stderr_ring = context.limits.stderr_bytes;
        context.secret_variables.iter().fold(spec, |spec, (name, value)| spec.env(name, value.as_str()))
    });
    let reached = reached.await?;
    let working_directory = launch.working_directory.display().to_string();
    let started = Started { version: launch.version, working_directory, shared: reached.peer.is_shared() };
    Ok(Running { reached, started, report: launch.report })
}

/// A value no other process on the machine carries.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let age = BEGIN.get_or_init(Instant::now).elapsed().as_nanos();
    format!("{}-{age}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs the pipes until the process has ended, and tells how.
async fn pump(
    context: RunContext,
    running: Running,
    orders: mpsc::Receiver<Order>,
    mut kill: watch::Receiver<bool>,
    pending: Arc<AtomicUsize>,
) -> Exit {
    let Running { reached: Reached { input, output, peer }, report, .. } = running;
    let child = Arc::new(peer);
    let scrubber = context.scrubber.clone();
    let (mut reason, mut exit) = (None, None);
    {
        let read = output::read_all(&context, output, &child);
        let write = obey(&context.limits, orders, input, Arc::clone(&child), pending);
        tokio::pin!(read, write);
        let (mut reading, mut writing, mut killing) = (true, true, false);
        while exit.is_none() || reading {
            tokio::select! {
                () = &mut read, if reading => reading = false,
                stuck = &mut write, if writing => {
                    writing = false;
                    reason = stuck;
                }
                ended = child.wait(), if exit.is_none() => exit = Some(ended),
                () = killed(&mut kill), if !killing => {
                    killing = true;
                    child.kill();
                }
            }
        }
    }
    let exit = match exit {
        Some(exit) => exit,
        None => child.wait().await,
    };
    let tail = scrubber.text(&child.stderr_tail());
    Exit {
        code: exit.code,
        signal: exit.signal,
        stderr_tail: last_lines(&tail, context.limits.stderr_tail_bytes),
        reason,
        report: match report {
            Some(path) => {
                report::read(&path, context.limits.sidecar_report_bytes).await.map(|text| scrubber.text(&text))
            }
            None => None,
        },
    }
}

/// Obeys until there is nobody left to give orders. Says why, when it had to kill the process itself.
async fn obey(
    limits: &Limits,
    mut orders: mpsc::Receiver<Order>,
    input: peer::Input,
    child: Arc<Peer>,
    pending: Arc<AtomicUsize>,
) -> Option<String> {
    let mut input = Some(input);
    while let Some(order) = orders.recv().await {
        match order {
            Order::Write(bytes) => {
                let written = match &mut input {
                    Some(input) => write(input, &bytes, limits.sidecar_write_stall).await,
                    None => Ok(()), // what a plugin writes after it closed the input goes nowhere
                };
                pending.fetch_sub(bytes.len(), Ordering::Relaxed);
                if let Err(reason) = written {
                    child.kill();
                    return Some(reason);
                }
            }
            Order::CloseInput => {
                if let Some(mut input) = input.take() {
                    drop(input.shutdown().await);
                }
            }
            Order::Stop => child.stop(limits.sidecar_grace).await,
        }
    }
    None
}

/// Writes in pieces of a pipe's size, each within the deadline: a large prompt may take its time, a deaf process may not.
async fn write(input: &mut peer::Input, bytes: &[u8], stall: Duration) -> Result<(), String> {
    for piece in bytes.chunks(64 << 10) {
        match tokio::time::timeout(stall, input.write_all(piece)).await {
            Ok(Ok(())) => {}
            // It has closed its input or ended; its exit says more.
            Ok(Err(_)) => return Err("it closed its standard input".to_owned()),
            Err(_) => return Err(format!("it did not read its standard input for {stall:?}")),
        }
    }
    Ok(())
}

/// At most `limit` bytes from the end, beginning with a whole line where there is one.
fn last_lines(text: &str, limit: usize) -> String {
    let start = (text.len().saturating_sub(limit)..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let tail = text.get(start..).unwrap_or_default();
    let whole = if start == 0 { None } else { tail.split_once('\n').map(|(_, rest)| rest) };
    whole.filter(|rest| !rest.is_empty()).unwrap_or(tail).trim_end().to_owned()
}

#[cfg(test)]
mod tests;
