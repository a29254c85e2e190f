//! More requests than there are places for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::time::{Duration, Instant};

use llm_provider_http::{Egress, EgressLimits, Event, Exchange, FailureKind, Request};
use support::{LONG, OK, Server, egress_to, failure};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// A server that answers what is asked for at `/now`, and nothing else.
async fn server() -> Server {
    Server::reading(|mut stream, request| async move {
        if request.starts_with("GET /now") {
            stream.write_all(OK.as_bytes()).await.ok()?;
        } else {
            tokio::time::sleep(LONG * 5).await;
        }
        Some(stream)
    })
    .await
}

/// A request under way, and where its events go.
struct Asked {
    _exchange: Exchange,
    events: mpsc::Receiver<Event>,
}

impl Asked {
    fn of(egress: &Egress, request: Request) -> Self {
        let (sink, events) = mpsc::channel(4);
        Self { _exchange: egress.send(request, sink), events }
    }

    async fn first(&mut self) -> Event {
        tokio::time::timeout(LONG, self.events.recv()).await.expect("in time").expect("an event")
    }
}

/// Two places, both taken by requests that are not answered.
async fn full(change: impl FnOnce(&mut EgressLimits)) -> (Server, Egress, Vec<Asked>) {
    let server = server().await;
    let mut limits = EgressLimits::default();
    limits.in_flight = 2;
    change(&mut limits);
    let egress = egress_to(&server, limits);
    let held = (0..2).map(|_| Asked::of(&egress, Request::get(server.url("/never")))).collect();
    (server, egress, held)
}

#[tokio::test]
async fn a_request_too_many_waits_for_its_place_and_slots_come_back() {
    let (server, egress, mut held) = full(|_| ()).await;
    for _ in 0..5 {
        let mut third = Asked::of(&egress, Request::get(server.url("/now")));
        let fourth = Asked::of(&egress, Request::get(server.url("/never")));
        let early = tokio::time::timeout(Duration::from_millis(100), third.events.recv()).await;
        assert!(early.is_err(), "it waits: {early:?}");
        drop(held.remove(0));
        assert!(matches!(third.first().await, Event::Response(_)), "in the order in which they came");
        held.push(fourth);
    }
    let asked = server.requests().iter().filter(|request| request.starts_with("GET /now")).count();
    assert_eq!(asked, 5);
}

#[tokio::test]
async fn who_waits_in_vain_is_told_in_time_that_nothing_was_sent() {
    let (server, egress, held) = full(|limits| limits.first_byte = Duration::from_millis(600)).await;
    let start = Instant::now();
    let failure = failure(&egress, Request::get(server.url("/now"))).await;
    assert_eq!((failure.kind, failure.request_sent), (FailureKind::Busy, false), "{failure:?}");
    assert_eq!(failure.message, "no place among 2 requests at once within 0.3 s");
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(!server.requests().iter().any(|request| request.starts_with("GET /now")));
    drop(held);
}

#[tokio::test]
async fn what_waits_is_bounded_by_its_bytes() {
    let (server, egress, held) = full(|limits| limits.waiting_bytes = 200 << 10).await;
    let body = || vec![b'x'; 50 << 10];
    let waits = Asked::of(&egress, Request::post(server.url("/never"), body()));
    for _ in 0..2 {
        let start = Instant::now();
        let refused = failure(&egress, Request::post(server.url("/never"), body())).await;
        assert_eq!((refused.kind, refused.request_sent), (FailureKind::Busy, false), "{refused:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "at once");
    }
    let small = Asked::of(&egress, Request::get(server.url("/now")));
    drop(waits);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let again = Asked::of(&egress, Request::post(server.url("/never"), body()));
    drop(held);
    for mut asked in [small, again] {
        let early = tokio::time::timeout(Duration::from_millis(300), asked.events.recv()).await;
        assert!(!matches!(early, Ok(Some(Event::Failed(_)))), "{early:?}");
    }
}
