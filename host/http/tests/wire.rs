//! What is sent and what is handed over.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::time::{Duration, Instant};

use llm_provider_http::{EgressLimits, Event, FailureKind, Request};
use support::{LONG, OK, Server, answer, egress_to, events, failure};
use tokio::io::AsyncWriteExt;

fn lines(request: &str) -> Vec<String> {
    let mut lines: Vec<_> = request.split("\r\n").map(str::to_owned).collect();
    lines[1..].sort();
    lines
}

#[tokio::test]
async fn g12_the_request_on_the_wire_is_what_was_asked_for() {
    let server = Server::fixed(OK).await;
    let egress = egress_to(&server, EgressLimits::default());
    let url = server.url("/v1/x?a=b#fragment");
    let request = Request::post(url, "{\"a\":1}")
        .header("X-Key", "v1")
        .header("x-key", "v2")
        .header("accept", "text/event-stream");
    answer(&egress, request).await;
    let host = format!("host: {}", server.address);
    let expected = [
        "POST /v1/x?a=b HTTP/1.1",
        "",
        "accept: text/event-stream",
        "content-length: 7",
        &host,
        "x-key: v1",
        "x-key: v2",
        "{\"a\":1}",
    ];
    assert_eq!(lines(&server.requests()[0]), expected);
    answer(&egress, Request::get(server.url("/"))).await;
    assert_eq!(lines(&server.requests()[1]), ["GET / HTTP/1.1", "", "", "accept: */*", &host]);
    assert_eq!(server.connections(), 1, "one connection served both");
}

#[tokio::test]
async fn what_may_not_be_sent_is_refused_before_it_is() {
    let server = Server::fixed(OK).await;
    let mut limits = EgressLimits::default();
    limits.request_bytes = 100;
    limits.url_bytes = 200;
    let egress = egress_to(&server, limits);
    let url = || server.url("/");
    for (request, kind) in [
        (Request::new("CONNECT", url()), FailureKind::Invalid),
        (Request::new("TRACE", url()), FailureKind::Invalid),
        (Request::new("get", url()), FailureKind::Invalid),
        (Request::new("GET / HTTP/1.1\r\n", url()), FailureKind::Invalid),
        (Request::new("", url()), FailureKind::Invalid),
        (Request::get(url()).header("host", "evil"), FailureKind::Denied),
        (Request::get(url()).header("Transfer-Encoding", "chunked"), FailureKind::Denied),
        (Request::get(url()).header("content-length", "0"), FailureKind::Denied),
        (Request::get(url()).header("a\r\nb", "c"), FailureKind::Invalid),
        (Request::get(url()).header("a", "b\r\nc: d"), FailureKind::Invalid),
        (Request::post(url(), vec![b'x'; 101]), FailureKind::Denied),
        (Request::get(server.url(&"/x".repeat(200))), FailureKind::Denied),
    ] {
        let failure = failure(&egress, request.clone()).await;
        assert_eq!((failure.kind, failure.request_sent), (kind, false), "{request:?}: {}", failure.message);
    }
    assert_eq!(server.connections(), 0);
    answer(&egress, Request::post(url(), vec![b'x'; 100])).await;
}

#[tokio::test]
async fn headers_and_body_arrive_in_order_and_small_pieces() {
    let body: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let head = "HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nX-Twice: a\r\nX-Twice: b\r\nX-Odd: \u{fc}\r\ncontent-length: 100000\r\n\r\n";
    let latin: Vec<u8> = head.chars().map(|c| c as u8).collect();
    let server = Server::fixed([latin, body.clone()].concat()).await;
    let mut limits = EgressLimits::default();
    limits.chunk_bytes = 16 * 1024;
    let all = events(&egress_to(&server, limits), Request::get(server.url("/"))).await;
    let Event::Response(head) = &all[0] else { panic!("{all:?}") };
    assert_eq!(head.status, 429);
    let named = |name: &str| head.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect::<Vec<_>>();
    assert_eq!((named("retry-after"), named("x-twice")), (vec!["7".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(named("x-odd"), ["\u{fffd}"]);
    let mut received = Vec::new();
    for event in &all[1..all.len() - 1] {
        let Event::Chunk(bytes) = event else { panic!("{event:?}") };
        assert!(!bytes.is_empty() && bytes.len() <= 16 * 1024);
        received.extend_from_slice(bytes);
    }
    assert_eq!(received, body);
}

#[tokio::test]
async fn a_response_that_is_too_large_stops_at_its_limit() {
    let mut limits = EgressLimits::default();
    limits.response_bytes = 10_000;
    limits.response_headers = 20;
    limits.response_header_bytes = 4096;
    let exact =
        Server::fixed([b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n".to_vec(), vec![b'x'; 10_000]].concat())
            .await;
    assert_eq!(answer(&egress_to(&exact, limits.clone()), Request::get(exact.url("/"))).await.1.len(), 10_000);
    let endless = Server::scripted(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        None
    })
    .await;
    let all = events(&egress_to(&endless, limits.clone()), Request::get(endless.url("/"))).await;
    let bytes: usize = all.iter().map(|event| if let Event::Chunk(bytes) = event { bytes.len() } else { 0 }).sum();
    assert_eq!(bytes, 10_000, "exactly what the limit allows is delivered");
    assert!(
        matches!(all.last(), Some(Event::Failed(failure)) if failure.kind == FailureKind::TooLarge),
        "{:?}",
        all.last()
    );
    for headers in ["a: b\r\n".repeat(21), "a: b\r\n".repeat(39), format!("a: {}\r\n", "x".repeat(5000))] {
        let many = Server::fixed(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n")).await;
        let failure = failure(&egress_to(&many, limits.clone()), Request::get(many.url("/"))).await;
        assert_eq!((failure.kind, failure.request_sent), (FailureKind::TooLarge, true), "{failure:?}");
    }
}

#[tokio::test]
async fn n05_nothing_is_decompressed() {
    // The head of a gzip stream: whoever inflates it fails or grows.
    let bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n".to_vec();
    let server = Server::fixed([head, bomb.clone()].concat()).await;
    let (head, body) = answer(&egress_to(&server, EgressLimits::default()), Request::get(server.url("/"))).await;
    assert_eq!(body, bomb);
    assert!(head.headers.contains(&("content-encoding".to_owned(), "gzip".to_owned())), "the plugin is told");
    assert!(!server.requests()[0].contains("accept-encoding"));
}

#[tokio::test]
async fn the_four_deadlines() {
    let silent = Server::scripted(|stream, _| async move {
        tokio::time::sleep(LONG * 5).await;
        Some(stream)
    })
    .await;
    let mut limits = EgressLimits::default();
    limits.first_byte = Duration::from_millis(200);
    let late = failure(&egress_to(&silent, limits), Request::post(silent.url("/"), "x")).await;
    assert_eq!((late.kind, late.request_sent), (FailureKind::Timeout, true), "{}", late.message);
    let mut wish = Request::get(silent.url("/"));
    wish.first_byte_timeout = Some(Duration::from_millis(200));
    let start = Instant::now();
    assert_eq!(failure(&egress_to(&silent, EgressLimits::default()), wish).await.kind, FailureKind::Timeout);
    assert!(start.elapsed() < Duration::from_secs(10));

    let pausing = Server::scripted(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst").await.ok()?;
        tokio::time::sleep(LONG * 5).await;
        None
    })
    .await;
    let mut limits = EgressLimits::default();
    limits.between_bytes = Duration::from_millis(200);
    let all = events(&egress_to(&pausing, limits), Request::get(pausing.url("/"))).await;
    assert_eq!(all[1], Event::Chunk("first".into()), "what came before is kept");
    assert!(matches!(&all[2], Event::Failed(failure) if failure.kind == FailureKind::Timeout && failure.request_sent));

    let dripping = Server::scripted(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    })
    .await;
    let mut limits = EgressLimits::default();
    limits.total = Duration::from_millis(400);
    assert_eq!(
        failure(&egress_to(&dripping, limits), Request::get(dripping.url("/"))).await.kind,
        FailureKind::Timeout
    );
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let policy = llm_provider_http::EgressPolicy::new(support::no_trust()).allow_private(url.parse().unwrap());
    let egress = llm_provider_http::Egress::new(policy, EgressLimits::default()).unwrap();
    let failure = failure(&egress, Request::post(&url, "body")).await;
    assert_eq!((failure.kind, failure.request_sent), (FailureKind::Connect, false), "{}", failure.message);
}

#[tokio::test]
async fn a_wait_without_end_is_a_limit_too() {
    let server = Server::scripted(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await.ok()?;
        None
    })
    .await;
    let mut limits = EgressLimits::default();
    (limits.first_byte, limits.between_bytes, limits.total) = (Duration::MAX, Duration::MAX, Duration::MAX);
    let all = events(&egress_to(&server, limits), Request::get(server.url("/"))).await;
    assert_eq!(all[1..], [Event::Chunk("hello".into()), Event::End]);
}
