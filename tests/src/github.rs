//! A fake of the two GitHub services that the Copilot CLI talks to, on loopback: who the account is, and the Copilot API.
//!
//! The shapes are those that the CLI 1.0.102 was seen to take, told by `COPILOT_DEBUG_GITHUB_API_URL` and
//! `COPILOT_API_URL` where to find them.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Without its query.
    pub path: String,
    /// The value of the `authorization` header.
    pub authorization: Option<String>,
}

/// The running fake. Dropping it ends it.
pub struct FakeGithub {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl FakeGithub {
    /// Starts it.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let seen = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                connections.spawn(async move { drop(serve(stream, address, &seen).await) });
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked.
    ///
    /// # Panics
    /// When a connection's task has panicked.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic inside").clone()
    }
}

/// One request, one answer.
async fn serve(mut stream: TcpStream, address: SocketAddr, seen: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let header = |wanted: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{wanted}:")))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    let target = head.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    seen.lock().expect("no panic inside").push(Asked { path: path.clone(), authorization: header("authorization") });
    let (status, kind, body) = answer(&path, address);
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

fn answer(path: &str, address: SocketAddr) -> (u16, &'static str, String) {
    match path {
        "/copilot_internal/user" => (200, "application/json", account(address).to_string()),
        "/models" => (200, "application/json", models().to_string()),
        "/chat/completions" => (200, "text/event-stream", stream()),
        _ => (404, "application/json", "{}".to_owned()),
    }
}

fn account(address: SocketAddr) -> Value {
    let quota = |entitlement: u32, remaining: u32, percent: f64| {
        json!({"entitlement": entitlement, "remaining": remaining, "percent_remaining": percent, "unlimited": false,
            "overage_count": 0, "overage_permitted": false})
    };
    json!({
        "login": "mona", "copilot_plan": "individual", "chat_enabled": true,
        "endpoints": {"api": format!("http://{address}")},
        "quota_snapshots": {"chat": quota(100, 75, 75.0), "premium_interactions": quota(300, 150, 50.0)},
    })
}

fn models() -> Value {
    json!({"data": [{
        "id": "gpt-5", "name": "GPT-5", "object": "model", "vendor": "OpenAI", "version": "1", "preview": false,
        "model_picker_enabled": true, "policy": {"state": "enabled"}, "billing": {"is_premium": true, "multiplier": 1},
        "capabilities": {"family": "gpt-5", "type": "chat", "tokenizer": "o200k_base",
            "limits": {"max_context_window_tokens": 128_000, "max_output_tokens": 64_000, "max_prompt_tokens": 100_000},
            "supports": {"streaming": true, "tool_calls": true, "vision": true}},
    }]})
}

fn stream() -> String {
    let chunk = |choices: Value| {
        let chunk =
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5", "choices": choices});
        format!("data: {chunk}\n\n")
    };
    let said = chunk(json!([{"index": 0, "delta": {"role": "assistant", "content": "from Copilot"}}]));
    let end = chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]));
    said + &end + "data: [DONE]\n\n"
}
