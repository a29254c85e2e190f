//! Everything that a reply can do wrong, and that nothing else does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail"
)]

mod client;

use std::time::Duration;

use client::{Question, SOON, ask, connect, post, receive, reply_to, send};
use llmp_model_server::{Dialect, Gate, ModelError, ModelServer, Reply, ReplyState, Script};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

fn three() -> Reply {
    Reply::deltas(["one ", "two ", "three"])
}

async fn start(reply: Reply) -> ModelServer {
    ModelServer::start(Script::new(reply)).await.unwrap()
}

/// Sends a streaming request and leaves the connection to the test.
async fn begin(server: &ModelServer, dialect: Dialect) -> TcpStream {
    let mut stream = connect(server).await;
    let Question { path, body } = ask(dialect, "hi", true);
    send(&mut stream, "POST", &path, body.to_string().as_bytes()).await.unwrap();
    stream
}

async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "the stream ended before {wanted}");
        }
    };
    tokio::time::timeout(SOON, reading).await.expect("the text should come");
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn a_reset_before_the_headers_is_a_reset() {
    for dialect in Dialect::ALL {
        let server = start(Reply::text("x").reset()).await;
        let got = post(&server, &ask(dialect, "hi", true)).await;
        assert_eq!((got.status, got.reset), (None, true));
        assert_eq!(server.requests()[0].state, ReplyState::Cut);
    }
}

#[tokio::test]
async fn a_reset_in_mid_stream_comes_after_the_deltas() {
    for dialect in Dialect::ALL {
        let got = reply_to(dialect, true, three().reset_after(2)).await;
        assert_eq!((got.status, got.reset, got.complete), (Some(200), true, false));
        assert!(got.text().contains("two ") && !got.text().contains("three"), "{}", got.text());
    }
}

#[tokio::test]
async fn a_close_is_an_end_without_the_end_mark_and_without_a_reset() {
    let got = reply_to(Dialect::Anthropic, true, three().close()).await;
    assert_eq!((got.status, got.reset), (None, false));
    for dialect in Dialect::ALL {
        let got = reply_to(dialect, true, three().close_after(1)).await;
        assert_eq!((got.status, got.reset, got.complete), (Some(200), false, false));
        assert!(got.text().contains("one ") && !got.text().contains("two "));
    }
}

#[tokio::test]
async fn a_truncation_ends_http_but_not_the_dialect() {
    let ends = [(Dialect::ChatCompletions, "[DONE]"), (Dialect::Responses, "response.completed")];
    for (dialect, end) in ends.into_iter().chain([(Dialect::Anthropic, "message_stop"), (Dialect::Gemini, "STOP")]) {
        let server = start(three().truncate_after(2)).await;
        let got = post(&server, &ask(dialect, "hi", true)).await;
        assert!(got.complete && got.text().contains("two ") && !got.text().contains(end));
        assert_eq!(server.requests()[0].state, ReplyState::Cut);
        // The same beyond the last delta: all content, no end.
        let got = reply_to(dialect, true, three().truncate_after(usize::MAX)).await;
        assert!(got.complete && got.text().contains("three") && !got.text().contains(end));
        // And before the first: the opening events only, of which Gemini has none.
        let got = reply_to(dialect, true, three().truncate_after(0)).await;
        assert!(got.complete && !got.text().contains("one "));
        assert_eq!(got.body.is_empty(), dialect == Dialect::Gemini);
    }
}

#[tokio::test]
async fn an_error_in_mid_stream_has_the_shape_of_the_dialect() {
    let broken = || three().fail_after(1, ModelError::new(529, "too busy"));
    let (_, chat) = reply_to(Dialect::ChatCompletions, true, broken()).await.events().pop().unwrap();
    assert_eq!(chat["error"]["message"], "too busy");
    let (name, responses) = reply_to(Dialect::Responses, true, broken()).await.events().pop().unwrap();
    assert_eq!((name.as_str(), &responses["response"]["status"]), ("response.failed", &"failed".into()));
    assert_eq!(responses["response"]["error"]["message"], "too busy");
    let (name, anthropic) = reply_to(Dialect::Anthropic, true, broken()).await.events().pop().unwrap();
    assert_eq!((name.as_str(), &anthropic["error"]["type"]), ("error", &"overloaded_error".into()));
    let (_, gemini) = reply_to(Dialect::Gemini, true, broken()).await.events().pop().unwrap();
    assert_eq!((&gemini["error"]["code"], &gemini["error"]["message"]), (&529.into(), &"too busy".into()));
}

#[tokio::test]
async fn a_fault_in_a_whole_reply_comes_after_half_of_it() {
    let got = reply_to(Dialect::ChatCompletions, false, three().close_after(2)).await;
    assert!(!got.complete && got.text().starts_with('{') && serde_json::from_slice::<()>(&got.body).is_err());
    let got = reply_to(Dialect::ChatCompletions, false, three().pause_after(2, Duration::from_millis(5))).await;
    assert!(got.complete && got.json()["choices"].is_array());
}

#[tokio::test]
async fn a_hang_before_the_headers_ends_when_the_client_leaves() {
    for dialect in Dialect::ALL {
        let server = start(Reply::text("x").hang()).await;
        let stream = begin(&server, dialect).await;
        let open = server.wait_for_requests(1, SOON).await.unwrap();
        assert!(open[0].open() && open[0].disconnected_at().is_none());
        drop(stream);
        let ended = server.wait_until(SOON, |requests| !requests[0].open()).await.unwrap();
        assert_eq!(ended[0].state, ReplyState::Disconnected);
        assert!(ended[0].disconnected_at() >= Some(ended[0].at));
    }
}

#[tokio::test]
async fn a_hang_in_mid_stream_has_sent_its_deltas_and_notices_an_abort() {
    for dialect in Dialect::ALL {
        let server = start(three().hang_after(2)).await;
        let mut stream = begin(&server, dialect).await;
        let text = read_until(&mut stream, "two ").await;
        assert!(!text.contains("three") && server.requests()[0].open());
        drop(stream);
        server.wait_until(SOON, |requests| requests[0].disconnected_at().is_some()).await.unwrap();
    }
}

#[tokio::test]
async fn dropping_the_server_ends_a_hang_and_is_no_disconnect() {
    let server = start(three().hang_after(1)).await;
    let mut stream = begin(&server, Dialect::Responses).await;
    read_until(&mut stream, "one ").await;
    let address = server.address();
    server.stop().await;
    assert!(!receive_rest(&mut stream).await.contains("completed"));
    assert!(TcpStream::connect(address).await.is_err(), "the port should be free");
}

async fn receive_rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await.expect("the connection should end").ok();
    String::from_utf8(rest).unwrap()
}

#[tokio::test]
async fn a_gate_holds_a_reply_until_it_is_opened() {
    let (head, middle) = (Gate::new(), Gate::new());
    let server = start(three().gate(&head).gate_after(1, &middle)).await;
    let mut stream = begin(&server, Dialect::ChatCompletions).await;
    head.reached(1).await;
    assert!(stream.try_read(&mut [0]).is_err(), "nothing should have come yet");
    head.open();
    middle.reached(1).await;
    let before = read_until(&mut stream, "one ").await;
    assert!(!before.contains("two "));
    middle.open();
    let after = read_until(&mut stream, "[DONE]").await;
    assert!(after.contains("two ") && after.contains("three"));
}

#[tokio::test]
async fn delays_delay() {
    let begun = std::time::Instant::now();
    let reply = three().delay(Duration::from_millis(50)).pace(Duration::from_millis(20));
    assert!(reply_to(Dialect::Anthropic, true, reply).await.complete);
    assert!(begun.elapsed() >= Duration::from_millis(110));
}

#[tokio::test]
async fn a_split_stream_is_the_same_bytes_in_small_chunks() {
    for dialect in Dialect::ALL {
        let whole = reply_to(dialect, true, Reply::text("zwölf → 十二 🦀")).await;
        for size in [1, 3, 7, 1000] {
            let split = reply_to(dialect, true, Reply::text("zwölf → 十二 🦀").split_bytes(size)).await;
            assert_eq!(split.body, whole.body);
            assert!(split.complete && split.chunks.iter().all(|chunk| *chunk <= size));
            assert!(split.chunks.len() >= whole.body.len() / size);
        }
    }
}

#[tokio::test]
async fn a_split_works_on_whole_and_raw_replies_too() {
    let server = start(Reply::text("hello").split_bytes(5).pace(Duration::from_millis(1))).await;
    let got = post(&server, &ask(Dialect::Responses, "hi", false)).await;
    assert!(got.complete && got.json()["status"] == "completed");
    assert_eq!(server.requests()[0].state, ReplyState::Finished);
    let raw = reply_to(Dialect::Responses, true, Reply::raw_events(["data: é\n\n"]).split_bytes(7)).await;
    assert_eq!(raw.text(), "data: é\n\n");
}

#[tokio::test]
async fn the_server_serves_on_after_every_fault() {
    let script =
        Script::text("fine").then(three().reset()).then(three().close_after(1)).then(three().truncate_after(1));
    let server = ModelServer::start(script).await.unwrap();
    let ask = ask(Dialect::ChatCompletions, "hi", true);
    for _ in 0..3 {
        post(&server, &ask).await;
    }
    assert!(post(&server, &ask).await.complete);
    let states: Vec<ReplyState> = server.requests().iter().map(|request| request.state).collect();
    assert_eq!(states, [ReplyState::Cut, ReplyState::Cut, ReplyState::Cut, ReplyState::Finished]);
    let mut idle = connect(&server).await;
    server.stop().await;
    assert_eq!(receive(&mut idle).await.status, None);
}
