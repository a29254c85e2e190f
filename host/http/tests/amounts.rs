//! Consumers that are slow or gone, by the figures of the table: each test in a process of its own, since it measures that.
#![cfg(target_os = "linux")]
// Helpers of tests, where clippy does not see that they are.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod support;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use llm_provider_http::{Egress, EgressLimits, Event, Exchange, Request};
use support::{LONG, Server, egress_to};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// What a server writes at once.
const BLOCK: &[u8] = &[b'x'; 16 * 1024];

/// Runs a test in a process of its own, where what it measures of the process is its own. True in that process.
fn alone(test: &str) -> bool {
    const ALONE: &str = "LLM_PROVIDER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args([test, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.starts_with("figure:")).for_each(|line| println!("{line}"));
    assert!(text.contains("1 passed"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// The most memory this process has had at once since it began, or since it was told to forget what was before.
fn peak_memory() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).unwrap() << 10
}

/// Forgets the peak so far (proc(5)), where that is allowed.
fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// What a disconnect must not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    tasks: usize,
}

impl Held {
    fn now() -> Self {
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
        Self { descriptors, tasks: Handle::current().metrics().num_alive_tasks() }
    }

    /// As few as `before`, or what there is when that does not come.
    async fn as_before(before: Self) -> Self {
        let begin = Instant::now();
        loop {
            let now = Self::now();
            if now.descriptors <= before.descriptors && now.tasks <= before.tasks || begin.elapsed() > LONG {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Sends for ever, and counts the peers that have gone.
async fn endless(gone: Arc<AtomicUsize>) -> Server {
    Server::scripted(move |mut stream, _| {
        let gone = Arc::clone(&gone);
        async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(BLOCK).await.is_ok() {}
            gone.fetch_add(1, Ordering::SeqCst);
            None
        }
    })
    .await
}

/// A request under way: its first bytes were taken.
async fn streaming(egress: &Egress, server: &Server) -> (Exchange, mpsc::Receiver<Event>) {
    let (sink, mut source) = mpsc::channel(1);
    let exchange = egress.send(Request::get(server.url("/")), sink);
    match source.recv().await {
        Some(Event::Response(_)) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(source.recv().await, Some(Event::Chunk(_))));
    (exchange, source)
}

/// As many at once as a tenant may have, again and again: every one gives its place back, and its socket, at once.
#[tokio::test]
async fn h06_a_thousand_disconnects_leave_nothing() {
    const DISCONNECTS: usize = 1_000;
    if !alone("h06_a_thousand_disconnects_leave_nothing") {
        return;
    }
    let gone = Arc::new(AtomicUsize::new(0));
    let server = endless(Arc::clone(&gone)).await;
    let egress = egress_to(&server, EgressLimits::default());
    let places = EgressLimits::default().in_flight;
    let (mut before, mut slowest, mut done) = (None, Duration::ZERO, 0);
    while done < DISCONNECTS {
        let mut open = Vec::new();
        for _ in 0..places.min(DISCONNECTS - done) {
            open.push(streaming(&egress, &server).await);
        }
        let begin = Instant::now();
        let mut kept = Vec::new();
        for (at, (exchange, source)) in open.into_iter().enumerate() {
            done += 1;
            // The handle goes, or nobody takes the events.
            if at % 2 == 0 { drop((exchange, source)) } else { kept.push(exchange) }
        }
        while gone.load(Ordering::SeqCst) < done {
            assert!(begin.elapsed() < LONG, "{} of {done} are gone", gone.load(Ordering::SeqCst));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        slowest = slowest.max(begin.elapsed());
        drop(kept);
        // The first round sets up what is set up once.
        if before.is_none() {
            let nothing = Held { descriptors: 0, tasks: 0 };
            let settled = tokio::time::timeout(Duration::from_millis(500), Held::as_before(nothing)).await;
            before = Some(settled.unwrap_or_else(|_| Held::now()));
        }
    }
    let before = before.unwrap();
    let after = Held::as_before(before).await;
    println!(
        "figure: {DISCONNECTS} disconnects, {places} at once, were through within {slowest:?}; {before:?} {after:?}"
    );
    assert!(after.descriptors <= before.descriptors && after.tasks <= before.tasks, "{before:?} {after:?}");
    assert!(slowest < Duration::from_secs(1), "ten times the promise of 100 ms: {slowest:?}");

    // Every place is there: as many as may be are under way at once, and none waits for another.
    let mut open = Vec::new();
    for _ in 0..places {
        open.push(tokio::time::timeout(LONG, streaming(&egress, &server)).await.expect("a place"));
    }
}

/// Answers with so many bytes.
async fn sending(length: usize) -> Server {
    Server::scripted(move |mut stream, _| async move {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut left = length;
        while left > 0 {
            let part = left.min(BLOCK.len());
            stream.write_all(&BLOCK[..part]).await.ok()?;
            left -= part;
        }
        Some(stream)
    })
    .await
}

/// Takes the rest of a body, and keeps nothing of it.
async fn drain(mut source: mpsc::Receiver<Event>) {
    let mut last = None;
    while let Some(event) = source.recv().await {
        assert!(matches!(event, Event::Chunk(_) | Event::End), "{event:?}");
        last = Some(event);
    }
    assert_eq!(last, Some(Event::End));
}

/// A body of 100 MiB for a reader that stands still in it (a byte a second is a chunk in nine hours), and then takes the rest.
#[tokio::test]
async fn h07_a_body_of_100_mib_for_a_slow_reader_takes_no_memory() {
    const LENGTH: usize = 100 << 20;
    if !alone("h07_a_body_of_100_mib_for_a_slow_reader_takes_no_memory") {
        return;
    }
    let mut limits = EgressLimits::default();
    limits.response_bytes = LENGTH;
    let (small, large) = (sending(8 << 20).await, sending(LENGTH).await);
    // Sets up what is set up once.
    let (exchange, source) = streaming(&egress_to(&small, limits.clone()), &small).await;
    drain(source).await;
    drop(exchange);
    let egress = egress_to(&large, limits);
    forget_peak_memory();
    let before = peak_memory();
    let (exchange, source) = streaming(&egress, &large).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asleep = peak_memory().saturating_sub(before);
    drain(source).await;
    let all = peak_memory().saturating_sub(before);
    drop(exchange);
    println!("figure: 100 MiB took {} KiB while their reader slept, {} KiB in all", asleep >> 10, all >> 10);
    assert!(asleep < 2 << 20, "{asleep}");
    assert!(all < 2 << 20, "{all}");
}
