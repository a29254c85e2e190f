//! Connections that break, consumers that are slow or gone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use llm_provider_http::{EgressLimits, Event, FailureKind, Request};
use support::{LONG, Server, egress_to, events, failure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

/// Closes with a reset instead of an end.
fn reset(stream: &TcpStream) {
    #[allow(deprecated)] // blocks only where something is left to send, and on zero seconds not at all
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

#[tokio::test]
async fn n02_a_break_before_the_response_is_told_once_and_not_retried() {
    for answer in ["", "HTTP/1.1 200", "garbage\r\n\r\n"] {
        for hard in [false, true] {
            let server = Server::scripted(move |mut stream, _| async move {
                let _ = stream.write_all(answer.as_bytes()).await;
                if hard {
                    reset(&stream);
                }
                None
            })
            .await;
            let egress = egress_to(&server, EgressLimits::default());
            let failure = failure(&egress, Request::post(server.url("/"), "body")).await;
            assert_eq!((failure.kind, failure.request_sent), (FailureKind::Broken, true), "{answer:?} {failure:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!(server.requests().len(), 1, "no second attempt");
        }
    }
}

#[tokio::test]
async fn n03_a_break_at_any_offset_keeps_what_came_and_ends_once() {
    let body: Vec<u8> = (0..200_u8).collect();
    let all = body.clone();
    let server = Server::scripted(move |mut stream, position| {
        let part = all[..position].to_vec();
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n").await.ok()?;
            stream.write_all(&part).await.ok()?;
            stream.flush().await.ok()?;
            if position % 2 == 1 {
                tokio::time::sleep(Duration::from_millis(2)).await; // a reset throws away what was not read yet
                reset(&stream);
            }
            None
        }
    })
    .await;
    let egress = egress_to(&server, EgressLimits::default());
    for position in 0..200 {
        let all = events(&egress, Request::get(server.url("/"))).await;
        let received: Vec<u8> =
            all.iter().flat_map(|event| if let Event::Chunk(b) = event { b.to_vec() } else { vec![] }).collect();
        assert!(body[..position].starts_with(&received), "at {position}");
        if position % 2 == 0 {
            assert_eq!(received.len(), position, "everything before an orderly end");
        }
        let failed =
            all.iter().filter(|event| matches!(event, Event::Failed(f) if f.kind == FailureKind::Broken)).count();
        assert_eq!(failed, 1, "{all:?}");
        assert!(!all.contains(&Event::End));
    }
    assert_eq!(server.requests().len(), 200, "nothing was sent twice");
}

#[tokio::test]
async fn truncated_chunked_bodies_are_no_clean_end() {
    for cut in ["5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "zz\r\n"] {
        let text = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{cut}");
        let server = Server::fixed(text).await;
        let failure = failure(&egress_to(&server, EgressLimits::default()), Request::get(server.url("/"))).await;
        assert_eq!(failure.kind, FailureKind::Broken, "{cut:?}");
    }
}

/// Sends for ever and says when the peer has gone.
async fn endless(written: Arc<AtomicUsize>, gone: Arc<Notify>) -> Server {
    Server::scripted(move |mut stream, _| {
        let (written, gone) = (Arc::clone(&written), Arc::clone(&gone));
        async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 16 * 1024]).await.is_ok() {
                written.fetch_add(16 * 1024, Ordering::SeqCst);
            }
            gone.notify_one();
            None
        }
    })
    .await
}

#[tokio::test]
async fn h07_a_consumer_that_sleeps_stops_the_sender() {
    let (written, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let server = endless(Arc::clone(&written), gone).await;
    let (sink, mut source) = mpsc::channel(1);
    let exchange = egress_to(&server, EgressLimits::default()).send(Request::get(server.url("/")), sink);
    let settled = async {
        loop {
            let before = written.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(500)).await;
            if before > 0 && written.load(Ordering::SeqCst) == before {
                return before;
            }
        }
    };
    let buffered = tokio::time::timeout(LONG, settled).await.expect("the sender is stopped");
    // The kernel's socket buffers on loopback take up to 4 + 6 MiB; the response may have 64 MiB.
    assert!(buffered < 16 << 20, "{buffered} bytes were taken from the sender");
    // And it goes on where it was.
    let mut received = 0;
    while received < buffered + (1 << 20) {
        match source.recv().await {
            Some(Event::Chunk(bytes)) => received += bytes.len(),
            Some(Event::Response(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    drop(exchange);
}

#[tokio::test]
async fn h06_giving_up_closes_the_socket_at_once() {
    for way in 0..3 {
        let gone = Arc::new(Notify::new());
        let server = endless(Arc::default(), Arc::clone(&gone)).await;
        let egress = egress_to(&server, EgressLimits::default());
        let (sink, mut source) = mpsc::channel(1);
        let exchange = egress.send(Request::get(server.url("/")), sink);
        assert!(matches!(source.recv().await, Some(Event::Response(_))));
        assert!(matches!(source.recv().await, Some(Event::Chunk(_))));
        if way == 1 {
            tokio::time::sleep(Duration::from_millis(50)).await; // until it waits for the sink
        }
        let start = Instant::now();
        let kept = if way == 2 {
            drop(source);
            Some(exchange)
        } else {
            drop(exchange);
            None
        };
        tokio::time::timeout(LONG, gone.notified()).await.expect("closed");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        drop(kept);
    }
}

#[tokio::test]
async fn h06_giving_up_before_the_response_closes_the_socket_too() {
    let gone = Arc::new(Notify::new());
    let closed = Arc::clone(&gone);
    let server = Server::scripted(move |mut stream, _| {
        let closed = Arc::clone(&closed);
        async move {
            let _ = stream.read(&mut [0; 1]).await; // until the peer closes
            closed.notify_one();
            None
        }
    })
    .await;
    let egress = egress_to(&server, EgressLimits::default());
    let (sink, mut source) = mpsc::channel(1);
    let exchange = egress.send(Request::get(server.url("/")), sink);
    while server.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(exchange);
    tokio::time::timeout(Duration::from_secs(1), gone.notified()).await.expect("closed");
    assert!(source.recv().await.is_none(), "no event follows");
}
