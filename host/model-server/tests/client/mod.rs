//! A client as thin as can be: it shows what came over the socket and how the connection ended.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io;
use std::time::Duration;

use llmp_model_server::{Dialect, ModelServer, Reply, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Ten times what anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) status: Option<u16>,
    pub(crate) head: String,
    /// The body with HTTP's chunks undone.
    pub(crate) body: Vec<u8>,
    /// The sizes of HTTP's chunks.
    pub(crate) chunks: Vec<usize>,
    /// Whether the HTTP message ended as announced.
    pub(crate) complete: bool,
    /// Whether the connection ended with RST.
    pub(crate) reset: bool,
}

impl Exchange {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The events: name (empty where the dialect has none) and data.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        // Gemini ends lines with CR LF, which JSON escapes within itself.
        let text = self.text().replace("\r\n", "\n");
        let events = text.split("\n\n").filter(|event| !event.is_empty());
        events.filter(|event| *event != "data: [DONE]").map(event).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.events().into_iter().map(|(name, _)| name).collect()
    }
}

fn event(text: &str) -> (String, Value) {
    let (name, data) = match text.strip_prefix("event: ") {
        Some(named) => named.split_once('\n').unwrap(),
        None => ("", text),
    };
    (name.to_owned(), serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
}

/// A request for an answer.
pub(crate) struct Question {
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// A small request of this dialect.
pub(crate) fn ask(dialect: Dialect, prompt: &str, stream: bool) -> Question {
    let body = match dialect {
        Dialect::ChatCompletions => json!({
            "model": "m", "stream": stream, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": prompt}],
        }),
        Dialect::Responses => json!({"model": "m", "stream": stream, "input": prompt}),
        Dialect::Anthropic => json!({
            "model": "m", "stream": stream, "max_tokens": 10, "messages": [{"role": "user", "content": prompt}],
        }),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}),
    };
    Question { path: dialect.path("m", stream), body }
}

pub(crate) async fn connect(server: &ModelServer) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

/// Writes a request that asks for the connection to be closed after it.
pub(crate) async fn send(stream: &mut TcpStream, method: &str, path: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nX-Test: Yes\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}

/// Reads until the connection ends.
pub(crate) async fn receive(stream: &mut TcpStream) -> Exchange {
    let mut raw = Vec::new();
    let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut raw)).await.expect("the connection should end");
    parse(&raw, ended.is_err_and(|cause| cause.kind() == io::ErrorKind::ConnectionReset))
}

pub(crate) async fn exchange(server: &ModelServer, method: &str, path: &str, body: &[u8]) -> Exchange {
    let mut stream = connect(server).await;
    send(&mut stream, method, path, body).await.unwrap();
    receive(&mut stream).await
}

pub(crate) async fn post(server: &ModelServer, question: &Question) -> Exchange {
    exchange(server, "POST", &question.path, question.body.to_string().as_bytes()).await
}

/// What a client of `dialect` gets for `reply`.
pub(crate) async fn reply_to(dialect: Dialect, stream: bool, reply: Reply) -> Exchange {
    let server = ModelServer::start(Script::new(reply)).await.unwrap();
    post(&server, &ask(dialect, "hi", stream)).await
}

fn parse(raw: &[u8], reset: bool) -> Exchange {
    let Some(end) = raw.windows(4).position(|window| window == b"\r\n\r\n") else {
        assert!(raw.is_empty(), "half a head");
        return Exchange { status: None, head: String::new(), body: vec![], chunks: vec![], complete: false, reset };
    };
    let head = String::from_utf8(raw[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).map(|status| status.parse().unwrap());
    let rest = &raw[end + 4..];
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let (body, chunks, complete) = match length {
        Some(length) => (rest.to_vec(), vec![], rest.len() == length),
        None => unchunk(rest),
    };
    Exchange { status, head, body, chunks, complete, reset }
}

fn unchunk(mut rest: &[u8]) -> (Vec<u8>, Vec<usize>, bool) {
    let (mut body, mut sizes) = (Vec::new(), Vec::new());
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, sizes, true);
        }
        let Some(chunk) = rest.get(line + 2..line + 2 + size) else { break };
        body.extend_from_slice(chunk);
        sizes.push(size);
        rest = rest.get(line + 4 + size..).unwrap_or_default();
    }
    (body, sizes, false)
}
