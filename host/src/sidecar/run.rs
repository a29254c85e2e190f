//! One run of a sidecar: a task that starts the process, pumps its pipes and tells how it ended.

use super::peer::{self, Peer, Reached};
use super::program::{SidecarProgram, SidecarUnavailable, Wanted};
use crate::bindings::exports::llm::provider::provider::{Input, SidecarBytes, SidecarEnd, SidecarFault, SidecarStart};
use crate::bindings::llm::provider::sidecar::StopMode;
use crate::bindings::llm::provider::sidecar_types::{Exit, SidecarId, Started};
use crate::limits::Limits;
use crate::quota::Hold;
use crate::scrub::Scrubber;
use crate::tasks::{self, Task};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Marks the processes of a run, so that descendants that left its group are found.
const MARK: &str = "LLMP_SIDECAR_RUN";
/// Orders that wait for a run; with their bytes bounded by [`Limits::sidecar_pending_bytes`].
const ORDERS: usize = 1_024;
/// How long output may still come after the process has ended: what is in the pipe is read in microseconds.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

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

/// Something to do with a run.
pub(crate) enum Order {
    Write(Zeroizing<Vec<u8>>),
    CloseInput,
    Stop(StopMode),
}

/// The handle of a run. Dropping it kills the process with all its children.
pub(crate) struct Run {
    orders: mpsc::Sender<Order>,
    pending: Arc<AtomicUsize>,
    limit: usize,
    _task: Task,
}

impl Run {
    pub(crate) fn start(context: RunContext) -> Self {
        let (orders, receiver) = mpsc::channel(ORDERS);
        let pending = Arc::new(AtomicUsize::new(0));
        let limit = context.limits.sidecar_pending_bytes;
        let task = tasks::spawn(live(context, receiver, Arc::clone(&pending)));
        Self { orders, pending, limit, _task: task }
    }

    /// Hands over an order. False when too much waits already: the process does not read.
    pub(crate) fn order(&self, order: Order) -> bool {
        let size = if let Order::Write(bytes) = &order { bytes.len() } else { 0 };
        if self.pending.fetch_add(size, Ordering::Relaxed).saturating_add(size) > self.limit {
            return false;
        }
        !matches!(self.orders.try_send(order), Err(mpsc::error::TrySendError::Full(_)))
    }
}

async fn live(context: RunContext, orders: mpsc::Receiver<Order>, pending: Arc<AtomicUsize>) {
    let id = context.id;
    let inputs = context.inputs.clone();
    let last = match start(&context).await {
        Ok(running) => {
            let started = running.started.clone();
            let told = inputs.send(Input::SidecarStarted(SidecarStart { id, started })).await;
            if told.is_err() {
                return; // the instance is gone; dropping the child ends it
            }
            Input::SidecarExited(SidecarEnd { id, exit: pump(context, running, orders, pending).await })
        }
        Err(SidecarUnavailable { message, hint }) => Input::SidecarFailed(SidecarFault { id, message, hint }),
    };
    drop(inputs.send(last).await);
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
async fn pump(context: RunContext, running: Running, orders: mpsc::Receiver<Order>, pending: Arc<AtomicUsize>) -> Exit {
    let Running { reached: Reached { input, output, peer }, report, .. } = running;
    let child = Arc::new(peer);
    let scrubber = context.scrubber.clone();
    let (mut reason, mut exit) = (None, None);
    {
        let read = read_all(&context, output, &child);
        let write = obey(&context.limits, orders, input, Arc::clone(&child), pending);
        tokio::pin!(read, write);
        let (mut reading, mut writing) = (true, true);
        while exit.is_none() || reading {
            tokio::select! {
                () = &mut read, if reading => reading = false,
                stuck = &mut write, if writing => {
                    writing = false;
                    reason = stuck;
                }
                ended = child.wait(), if exit.is_none() => exit = Some(ended),
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
                read_report(&path, context.limits.sidecar_report_bytes).await.map(|text| scrubber.text(&text))
            }
            None => None,
        },
    }
}

/// What the process left behind, if it is there and not longer than it may be. It is removed, whatever it is.
async fn read_report(path: &Path, most: usize) -> Option<String> {
    let path = path.to_owned();
    let read = move || {
        use std::io::Read;
        let mut text = String::new();
        let file = std::fs::File::open(&path);
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let read = file.and_then(|file| file.take(limit.saturating_add(1)).read_to_string(&mut text));
        drop(std::fs::remove_file(&path));
        match read {
            Ok(length) if length <= most => Some(text),
            Ok(_) => {
                tracing::warn!(path = %path.display(), most, "a sidecar's report is too long and was ignored");
                None
            }
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "a sidecar left no report");
                None
            }
        }
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

/// Reads standard output to its end. Waits while the instance's mailbox is full, so the pipe fills and the process waits.
async fn read_all(context: &RunContext, mut output: peer::Output, child: &Peer) {
    let mut scrubber = context.scrubber.clone();
    let id = context.id;
    let mut buffer = Vec::with_capacity(context.limits.read_bytes);
    loop {
        buffer.clear();
        let got = tokio::select! {
            biased;
            got = output.read_buf(&mut buffer) => got.unwrap_or(0),
            () = abandoned(child) => 0,
        };
        let end = got == 0;
        let data = if end { scrubber.finish() } else { scrubber.stream(buffer.as_slice().to_vec()) };
        if !data.is_empty() && context.inputs.send(Input::SidecarOutput(SidecarBytes { id, data })).await.is_err() {
            return;
        }
        if end {
            child.hung_up();
            return;
        }
    }
}

/// Ends some time after the process: a descendant that escaped its group may hold the pipe open for ever.
async fn abandoned(child: &Peer) {
    child.wait().await;
    tokio::time::sleep(LAST_OUTPUT).await;
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
            Order::Stop(StopMode::Graceful) => child.stop(limits.sidecar_grace).await,
            Order::Stop(StopMode::Kill) => child.kill(),
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
mod tests {
    use super::*;

    #[test]
    fn the_tail_begins_with_a_line() {
        assert_eq!(last_lines("one\ntwo\nthree\n", 10), "three");
        assert_eq!(last_lines("one\ntwo", 100), "one\ntwo");
        assert_eq!(last_lines("\u{e9}\u{e9}\u{e9}", 3), "\u{e9}");
    }
}
