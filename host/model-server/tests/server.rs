//! The server as a whole: queue and default, waiting, size, speed, keep-alive, the demo over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail"
)]

mod client;

use std::time::{Duration, Instant};

use client::{SOON, ask, connect, exchange, post, receive};
use llmp_model_server::{Dialect, MAX_QUEUED, ModelServer, Reply, Responder, Script, StartError};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn say(server: &ModelServer, prompt: &str) -> String {
    let got = post(server, &ask(Dialect::ChatCompletions, prompt, false)).await;
    got.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn queued_replies_come_first_and_in_order() {
    let server = ModelServer::start(Script::echo().then(Reply::text("one"))).await.unwrap();
    server.push(Reply::text("two")).unwrap();
    assert_eq!(server.queued(), 2);
    assert_eq!(say(&server, "x").await, "one");
    assert_eq!(say(&server, "x").await, "two");
    assert_eq!(say(&server, "<current_datetime>t</current_datetime>\n\nback to me").await, "back to me");
    server.set_default(Reply::text("fixed"));
    assert_eq!(say(&server, "x").await, "fixed");
    server.set_default(Responder::with(|request| Reply::text(format!("{}:{}", request.number, request.model()))));
    assert_eq!(say(&server, "x").await, "5:m");
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let script = (0..=MAX_QUEUED).fold(Script::demo(), |script, _| script.then(Reply::new()));
    assert!(matches!(ModelServer::start(script).await, Err(StartError::Queue(_))));
    let server = ModelServer::start(Script::demo()).await.unwrap();
    (0..MAX_QUEUED).for_each(|_| server.push(Reply::new()).unwrap());
    assert!(server.push(Reply::new()).is_err());
}

#[tokio::test]
async fn waiting_ends_in_time_and_says_what_was_seen() {
    let server = ModelServer::start(Script::text("x")).await.unwrap();
    say(&server, "a").await;
    let late = server.wait_for_requests(2, Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(late.seen, 1);
    let (found, _) = tokio::join!(server.wait_for_requests(2, SOON), say(&server, "b"));
    assert_eq!(found.unwrap()[1].last_prompt(), "b");
}

#[tokio::test]
async fn a_hundred_thousand_deltas_stream_fast() {
    for dialect in Dialect::ALL {
        let reply = Reply::deltas((0..100_000).map(|number| format!("tok{number} ")));
        let server = ModelServer::start(Script::new(reply)).await.unwrap();
        let begun = Instant::now();
        let got = post(&server, &ask(dialect, "hi", true)).await;
        let took = begun.elapsed();
        println!("{dialect}: {} bytes in {took:?}", got.body.len());
        assert!(got.complete && got.text().contains("tok99999 "));
        // Some hundred milliseconds on two busy cores.
        assert!(took < SOON, "{dialect} took {took:?}");
    }
}

#[tokio::test]
async fn sixty_four_mebibytes_are_taken_and_one_byte_more_is_not() {
    let server = ModelServer::start(Script::text("ok")).await.unwrap();
    let body = |bytes: usize| {
        let frame = json!({"model": "m", "messages": [{"role": "user", "content": ""}]}).to_string();
        let content = "x".repeat(bytes - frame.len());
        frame.replace("\"content\":\"\"", &format!("\"content\":\"{content}\"")).into_bytes()
    };
    let limit = 64 * 1024 * 1024;
    let path = Dialect::ChatCompletions.path("m", false);
    assert_eq!(exchange(&server, "POST", &path, &body(limit)).await.status, Some(200));
    assert_eq!(server.requests()[0].body_bytes, limit);

    // Announced, not sent: the answer must not need the body.
    let mut stream = connect(&server).await;
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", limit + 1);
    stream.write_all(head.as_bytes()).await.unwrap();
    let got = receive(&mut stream).await;
    assert_eq!((got.status, server.seen()), (Some(413), 1));
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = ModelServer::start(Script::text("x")).await.unwrap();
    let mut stream = connect(&server).await;
    let body = ask(Dialect::ChatCompletions, "hi", true).body.to_string();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    for _ in 0..2 {
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n0\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
        }
    }
    assert_eq!(server.seen(), 2);
}

#[tokio::test]
async fn many_clients_are_served_at_once() {
    let server = ModelServer::start(Script::echo()).await.unwrap();
    let asks = (0..200).map(|number| {
        let server = &server;
        async move { assert_eq!(say(server, &format!("number {number}")).await, format!("number {number}")) }
    });
    futures_util::future::join_all(asks).await;
    assert_eq!(server.seen(), 200);
}

#[tokio::test]
async fn the_demo_streams_in_several_deltas_and_counts_turns_in_every_dialect() {
    let prompt = "<current_datetime>now</current_datetime>\n\nhello";
    for dialect in Dialect::ALL {
        let server = ModelServer::start(Script::demo()).await.unwrap();
        let streamed = post(&server, &ask(dialect, prompt, true)).await;
        let again = post(&server, &ask(dialect, prompt, false)).await;
        // A part of the answer: a delta of some kind, or a content.
        let more = |data: &serde_json::Value| data.to_string().contains("delta") || !data["candidates"].is_null();
        let deltas = streamed.events().iter().filter(|(_, data)| more(data)).count();
        assert!(deltas > 10, "{dialect}: {deltas} deltas");
        let whole = again.text();
        assert!(whole.contains("turn 1 of our conversation") && whole.contains("\\\"hello\\\""), "{whole}");
        assert!(!whole.contains("current_datetime"));
    }
}
