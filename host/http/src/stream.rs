//! One request from its start to its last event.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::client::Prepared;
use crate::error::{Failure, FailureKind};
use crate::exchange::{Closed, EventSink};
use crate::headers;
use crate::limits::EgressLimits;
use crate::request::{Event, ResponseHead};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Why nothing more is to be said.
enum Stop {
    Failed(Failure),
    /// There is nobody to say it to.
    Closed,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// Performs the request and delivers its events, the last one included.
pub(crate) async fn run(prepared: Result<Prepared, Failure>, limits: EgressLimits, sink: impl EventSink) {
    tokio::select! {
        () = perform(prepared, &limits, &sink) => {}
        () = sink.closed() => {} // drops the other branch, and the connection with it
    }
}

async fn perform(prepared: Result<Prepared, Failure>, limits: &EgressLimits, sink: &impl EventSink) {
    let last = match converse(prepared, limits, sink).await {
        Ok(()) => Event::End,
        Err(Stop::Failed(failure)) => Event::Failed(failure),
        Err(Stop::Closed) => return,
    };
    // Nobody to take it is nobody to tell.
    let _ = sink.deliver(last).await;
}

async fn converse(
    prepared: Result<Prepared, Failure>,
    limits: &EgressLimits,
    sink: &impl EventSink,
) -> Result<(), Stop> {
    let started = Instant::now();
    let prepared = prepared.inspect_err(|failure| tracing::debug!(kind = ?failure.kind, "request refused"))?;
    let (origin, sent) = (prepared.origin.clone(), prepared.sent.clone());
    let outcome = timeout(limits.total, transfer(prepared, limits, sink)).await;
    let outcome = outcome.unwrap_or_else(|_| {
        let message = format!("not finished within {}", seconds(limits.total));
        Err(Failure { kind: FailureKind::Timeout, message, request_sent: sent.maybe() }.into())
    });
    let milliseconds = started.elapsed().as_millis();
    match &outcome {
        Err(Stop::Failed(failure)) => tracing::debug!(%origin, milliseconds, kind = ?failure.kind, "request failed"),
        Err(Stop::Closed) => tracing::debug!(%origin, milliseconds, "request given up"),
        Ok(()) => tracing::debug!(%origin, milliseconds, "request done"),
    }
    outcome
}

async fn transfer(prepared: Prepared, limits: &EgressLimits, sink: &impl EventSink) -> Result<(), Stop> {
    let Prepared { client, wire, sent, first_byte, place, .. } = prepared;
    let (asked, patience) = (Instant::now(), first_byte / 2);
    let slot = place.take(patience).await.ok_or_else(|| {
        let message = format!("no place among {} requests at once within {}", limits.in_flight, seconds(patience));
        Failure::unsent(FailureKind::Busy, message)
    })?;
    let answer = timeout(first_byte.saturating_sub(asked.elapsed()), client.execute(wire)).await;
    let mut response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(Failure::of_send(&error, sent.maybe()).into()),
        Err(_) => {
            let message = format!("no response within {}", seconds(first_byte));
            return Err(Failure { kind: FailureKind::Timeout, message, request_sent: sent.maybe() }.into());
        }
    };
    let headers = headers::incoming(response.headers(), limits)?;
    sink.deliver(Event::Response(ResponseHead { status: response.status().as_u16(), headers })).await?;
    body(&mut response, limits, sink).await?;
    drop(slot);
    Ok(())
}

async fn body(response: &mut Response, limits: &EgressLimits, sink: &impl EventSink) -> Result<(), Stop> {
    let mut left = limits.response_bytes;
    // A limit of `Duration::MAX` is none, and no moment lies so far ahead.
    let limit = limits.between_bytes.min(YEAR);
    let mut pause = pin!(sleep(limit));
    while let Some(mut bytes) = next(response, pause.as_mut(), limit).await? {
        let fits = bytes.len().min(left);
        let excess = bytes.split_off(fits);
        left -= fits;
        while !bytes.is_empty() {
            let chunk = bytes.split_to(bytes.len().min(limits.chunk_bytes.max(1)));
            sink.deliver(Event::Chunk(chunk)).await?;
        }
        if !excess.is_empty() {
            let message = format!("the response has more than {} bytes", limits.response_bytes);
            return Err(Failure::midway(FailureKind::TooLarge, message).into());
        }
    }
    Ok(())
}

/// The wait is for the server only: time that a consumer takes is not counted. One timer serves all waits, since moving it is
/// cheaper than setting another for each part.
async fn next(response: &mut Response, mut pause: Pin<&mut Sleep>, limit: Duration) -> Result<Option<Bytes>, Failure> {
    pause.as_mut().reset(Instant::now() + limit);
    tokio::select! {
        biased;
        part = response.chunk() => part.map_err(|error| Failure::of_body(&error)),
        () = pause => {
            let message = format!("the response paused for more than {}", seconds(limit));
            Err(Failure::midway(FailureKind::Timeout, message))
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
