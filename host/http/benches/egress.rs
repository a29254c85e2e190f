//! What the policy, the limits and the counting cost: the same server asked through `Egress` and through plain reqwest, in
//! turns, in one run. Printed by `cargo bench`; nothing here passes or fails by time.
#![allow(missing_docs)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

use llm_provider_http::{Egress, EgressLimits, EgressPolicy, Event, Origin, Request, Trust};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// The body of the long answer.
const LONG: usize = 10 << 20;
/// A part of it, as the server writes it.
const PART: usize = 16 << 10;

fn main() {
    // `cargo test` runs benches once, to see that they work: a short run will do.
    let short = std::env::args().any(|argument| argument == "--test") || !std::env::args().any(|a| a == "--bench");
    // For the plain client; `Egress` brings its own.
    rustls::crypto::ring::default_provider().install_default().expect("the first");
    let (requests, rounds) = if short { (20, 1) } else { (300, 51) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run(requests, rounds));
}

async fn run(requests: usize, rounds: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(serve(listener));
    let origin: Origin = base.parse().expect("an origin");
    let trust = Trust::only([]).expect("no authorities");
    let egress =
        Egress::new(EgressPolicy::new(trust).allow_private(origin), EgressLimits::default()).expect("a way out");
    let plain = reqwest::Client::builder().no_proxy().build().expect("a client");
    let (mut ours, mut theirs): ([Vec<Duration>; 2], [Vec<Duration>; 2]) = Default::default();
    for _ in 0..rounds {
        for (at, (path, times)) in [("/short", requests), ("/long", 1)].into_iter().enumerate() {
            let url = format!("{base}{path}");
            theirs[at].push(timed(times, || by_reqwest(plain.clone(), url.clone())).await);
            ours[at].push(timed(times, || by_egress(egress.clone(), url.clone())).await);
        }
    }
    let [ours, theirs] = [ours, theirs].map(|times| times.map(median));
    let each = |time: Duration| time.as_secs_f64() * 1e6 / requests as f64;
    let speed = |time: Duration| LONG as f64 / time.as_secs_f64() / 1e6;
    let row = |name: &str, measured: String, target: &str| println!("{name:<62} {measured:>12} {target:>12}");
    row("a short request through the host's HTTP", format!("{:.0} us", each(ours[0])), "");
    row("  through plain reqwest", format!("{:.0} us", each(theirs[0])), "");
    row("  added", format!("{:.0} us", each(ours[0]) - each(theirs[0])), "<= 100 us");
    row("one stream of 10 MiB through the host's HTTP", format!("{:.0} MB/s", speed(ours[1])), "");
    row("  through plain reqwest", format!("{:.0} MB/s", speed(theirs[1])), "");
    row("  ratio", format!("{:.2}x", speed(ours[1]) / speed(theirs[1])), ">= 0.9x");
    server.abort();
}

/// The best would do for the requests, but on few cores a stream goes at one of several speeds, as its tasks meet.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Each request in a task of the runtime, which is where an instance takes its events.
async fn timed<F>(times: usize, ask: impl Fn() -> F) -> Duration
where
    F: Future<Output = usize> + Send + 'static,
{
    let start = Instant::now();
    for _ in 0..times {
        assert!(tokio::spawn(ask()).await.expect("it ends") > 0, "an answer came");
    }
    start.elapsed()
}

async fn by_egress(egress: Egress, url: String) -> usize {
    let (sink, mut events) = mpsc::channel(16);
    let _exchange = egress.send(Request::get(url), sink);
    let mut bytes = 0;
    while let Some(event) = events.recv().await {
        match event {
            Event::Response(_) => {}
            Event::Chunk(chunk) => bytes += chunk.len(),
            Event::End => break,
            Event::Failed(failure) => panic!("{failure:?}"),
        }
    }
    bytes
}

async fn by_reqwest(client: reqwest::Client, url: String) -> usize {
    let mut response = client.get(url).send().await.expect("an answer");
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.expect("a chunk") {
        bytes += chunk.len();
    }
    bytes
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move { connection(stream).await.unwrap_or_default() });
    }
}

/// Answers requests on a connection until it is closed.
async fn connection(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            head.extend(buffer.iter().take(read));
        }
        let long = head.starts_with(b"GET /long");
        head.clear();
        if !long {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
            continue;
        }
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {LONG}\r\n\r\n").as_bytes()).await?;
        for _ in 0..LONG / PART {
            stream.write_all(&[b'x'; PART]).await?;
        }
    }
}
