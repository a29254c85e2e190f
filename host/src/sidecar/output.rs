//! The way of a sidecar's output to its instance.

use super::peer::{self, Peer};
use super::run::RunContext;
use crate::bindings::exports::llm::provider::provider::{Input, SidecarBytes};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

/// How long output is waited for after the end: what is in the pipe is read in microseconds.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How much may still come after the end: a pipe can be grown to 1 MiB without privilege.
const LAST_BYTES: usize = 1 << 20;

/// Reads standard output to its end. Waits while the instance's mailbox is full, so the pipe fills and the process waits.
pub(super) async fn read_all(context: &RunContext, mut output: peer::Output, child: &Peer) {
    let mut scrubber = context.scrubber.clone();
    let id = context.id;
    let mut buffer = Vec::with_capacity(context.limits.read_bytes);
    let ended = child.wait();
    tokio::pin!(ended);
    let mut rest = None;
    loop {
        buffer.clear();
        let got = match &mut rest {
            None => tokio::select! {
                biased;
                got = output.read_buf(&mut buffer) => got.unwrap_or(0),
                _ = &mut ended => {
                    rest = Some(Rest { wait: LAST_WAIT, bytes: LAST_BYTES });
                    continue;
                }
            },
            Some(rest) => rest.read(&mut output, &mut buffer).await,
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

/// What may still come after the end. A descendant that escaped its group may hold the pipe open, and write to it, for ever.
struct Rest {
    wait: Duration,
    bytes: usize,
}

impl Rest {
    /// The time in which the instance has no room for it does not count.
    async fn read(&mut self, output: &mut peer::Output, buffer: &mut Vec<u8>) -> usize {
        let begin = Instant::now();
        let got = tokio::time::timeout(self.wait, output.take(self.bytes as u64).read_buf(buffer)).await;
        self.wait = self.wait.saturating_sub(begin.elapsed());
        let got = got.map_or(0, |got| got.unwrap_or(0));
        self.bytes = self.bytes.saturating_sub(got);
        got
    }
}
