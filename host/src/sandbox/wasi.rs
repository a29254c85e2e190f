//! A locked-down WASI for plugins built with the ordinary wasm32-wasip2 toolchains, whose standard libraries import it
//! whether the plugin uses it or not.
//!
//! No preopened directory, no environment, no arguments, no sockets, no names, closed standard input. Standard output
//! and error go to the log. Clocks show the time of the running call, random numbers come from the seed: the same inputs
//! give the same effects here too. Waiting is a trap, because nothing in a plugin may block.

use super::state::State;
use bytes::Bytes;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWrite;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::sync::io::streams::StreamError;
use wasmtime_wasi::p2::{DynOutputStream, DynPollable, OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

/// Bytes a plugin may print in one call; the rest is dropped. The host's log limits come on top.
const PRINTED_BYTES: usize = 64 << 10;
/// Streams and pollables a plugin may hold. The standard library holds three.
const RESOURCES: usize = 64;
/// Bytes of one answer of `wasi:random`: a hash map's seed takes 16.
const RANDOM_BYTES: u64 = 4 << 10;

/// The WASI side of an instance, made when first used: the reference plugins never do.
pub(crate) struct Wasi {
    seed: u64,
    now: Arc<AtomicU64>,
    printed: Arc<Mutex<Vec<u8>>>,
    made: Option<(WasiCtx, ResourceTable)>,
}

impl Wasi {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, now: Arc::default(), printed: Arc::default(), made: None }
    }

    pub(super) fn set_now(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// The lines printed since the last time.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        if self.made.is_none() {
            return Vec::new();
        }
        let bytes = std::mem::take(&mut *self.printed.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// What was printed in this call so far.
    pub(super) fn printed(&self) -> Option<String> {
        let bytes = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        self.made.as_ref().map(|_| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn context(&self) -> (WasiCtx, ResourceTable) {
        let mut builder = WasiCtxBuilder::new();
        let printed = Printed(Arc::clone(&self.printed));
        builder
            .stdout(printed.clone())
            .stderr(printed)
            .wall_clock(CallClock(Arc::clone(&self.now)))
            .monotonic_clock(CallClock(Arc::clone(&self.now)))
            .secure_random(random(self.seed))
            .insecure_random(random(!self.seed))
            .insecure_random_seed(u128::from(self.seed))
            .max_random_size(RANDOM_BYTES)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        (builder.build(), table)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        if self.wasi.made.is_none() {
            self.wasi.made = Some(self.wasi.context());
        }
        let (ctx, table) = self.wasi.made.get_or_insert_with(|| (WasiCtx::default(), ResourceTable::new()));
        WasiCtxView { ctx, table }
    }
}

/// Links WASI 0.2, without the two functions that wait.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    poll.func_wrap("poll", |_, (_,): (Vec<Resource<DynPollable>>,)| -> wasmtime::Result<(Vec<u32>,)> {
        Err(no_waiting())
    })?;
    poll.func_wrap("[method]pollable.block", |_, (_,): (Resource<DynPollable>,)| -> wasmtime::Result<()> {
        Err(no_waiting())
    })?;
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    streams.func_wrap("[method]output-stream.blocking-write-and-flush", write_at_once)?;
    streams.func_wrap("[method]output-stream.blocking-flush", |_, (_,): (Resource<DynOutputStream>,)| {
        Ok((Ok::<(), StreamError>(()),))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What standard output does with bytes: keep them. wasmtime-wasi would wait on a runtime for it, which is not ours.
fn write_at_once(
    mut store: StoreContextMut<'_, State>,
    (stream, bytes): (Resource<DynOutputStream>, Vec<u8>),
) -> wasmtime::Result<(Result<(), StreamError>,)> {
    let written = store.data_mut().ctx().table.get_mut(&stream)?.write(bytes.into());
    Ok((written.map_err(|_| StreamError::Closed),))
}

fn no_waiting() -> wasmtime::Error {
    wasmtime::Error::msg("a plugin must not wait: set a timer and return")
}

/// 256 bytes of splitmix64, repeated.
fn random(seed: u64) -> Deterministic {
    let state = Cell::new(seed);
    let next = || {
        state.set(state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let z = state.get();
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    Deterministic::new((0..32).flat_map(|_| next().to_le_bytes()).collect())
}

/// Shows the time of the running call, in milliseconds since the instance began.
struct CallClock(Arc<AtomicU64>);

impl HostWallClock for CallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl HostMonotonicClock for CallClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed).saturating_mul(1_000_000)
    }
}

/// Collects what is printed in a call.
#[derive(Clone)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = PRINTED_BYTES.saturating_sub(kept.len());
        kept.extend(bytes.iter().take(room));
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink()) // WASI 0.3 only, which is not linked
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PRINTED_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}
