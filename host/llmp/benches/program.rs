//! The whole program beside a bare client that drives the same CLI by hand: what `llmp ask` adds.
//!
//! Both start the CLI, open a session for the same model server, ask, read the answer and end the CLI.
#![allow(missing_docs)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use llm_provider_host::process::{Child, Running, Spec};
use llmp_model_server::{ModelServer, Reply, Script};
use llmp_tests::real_cli::{SKIP, cache_dir, located};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() {
    if std::env::var_os(SKIP).is_some() {
        println!("SKIPPED: {SKIP} is set");
        return;
    }
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 10 } else { 1 };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let program = runtime.block_on(located()).path;
    let model =
        runtime.block_on(ModelServer::start(Script::new(Reply::text_by_chars("It works.", 3)))).expect("a model");
    let home = tempfile::tempdir().expect("a directory");
    // The first runs of each unpack the CLI and compile the plugin.
    runtime.block_on(bare(&program, home.path(), &model));
    llmp(home.path(), &program, &model);
    let (mut bare_times, mut llmp_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare_times.push(runtime.block_on(bare(&program, home.path(), &model)));
        llmp_times.push(llmp(home.path(), &program, &model));
    }
    let (bare, llmp) = (median(bare_times), median(llmp_times));
    let row = |name: &str, time: f64, target: &str| println!("{name:<62} {:>9.1} ms {target:>12}", time * 1e3);
    row("a bare client: start the CLI, ask, answer, end (median)", bare.as_secs_f64(), "");
    row("`llmp ask` doing the same (median)", llmp.as_secs_f64(), "");
    row("  added", llmp.as_secs_f64() - bare.as_secs_f64(), "<= 50 ms");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn llmp(home: &Path, program: &Path, model: &ModelServer) -> Duration {
    let start = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_llmp"))
        .args(["ask", "-m", "stub-model", "does it work?"])
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("LLMP_CACHE_DIR", cache_dir())
        .env("LLMP_DATA_DIR", home.join("data"))
        .env("COPILOT_CLI_PATH", program)
        .env("COPILOT_PROVIDER_BASE_URL", model.openai_base_url())
        .env("COPILOT_PROVIDER_API_KEY", "sk-a-long-enough-key")
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("started").success());
    start.elapsed()
}

/// What anybody would write who needs one answer.
async fn bare(program: &Path, home: &Path, model: &ModelServer) -> Duration {
    let start = Instant::now();
    let mut spec = Spec::new(program, home).env("HOME", home).env("COPILOT_HOME", home.join("bare"));
    spec = spec.env("COPILOT_CACHE_HOME", cache_dir().join("copilot-cli-unpacked")).env("PATH", "/usr/bin:/bin");
    for argument in ["--server", "--stdio", "--no-auto-update", "--no-auto-login", "--log-level", "error"] {
        spec = spec.arg(argument);
    }
    let mut running = Child::spawn(spec).await.expect("started");
    call(&mut running, 1, "connect", json!({})).await;
    let provider = json!({
        "type": "openai", "baseUrl": model.openai_base_url(), "apiKey": "sk-a-long-enough-key", "wireApi": "completions"
    });
    let session = json!({
        "sessionId": format!("bare-{}", start.elapsed().as_nanos()), "model": "stub-model", "requestPermission": true,
        "streaming": true, "availableTools": [], "systemMessage": { "mode": "replace", "content": "" },
        "workingDirectory": home, "provider": provider,
    });
    let id = session["sessionId"].clone();
    call(&mut running, 2, "session.create", session).await;
    call(&mut running, 3, "session.send", json!({ "sessionId": id, "prompt": "does it work?" })).await;
    while read(&mut running).await["params"]["event"]["type"] != "session.idle" {}
    call(&mut running, 4, "runtime.shutdown", json!({})).await;
    running.child.wait().await;
    start.elapsed()
}

async fn call(running: &mut Running, id: u64, method: &str, params: Value) {
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
    let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    running.stdin.write_all(frame.as_bytes()).await.expect("written");
    while read(running).await["id"] != id {}
}

/// Reads a frame, a byte of its header at a time: a bare client has no reason to be clever.
async fn read(running: &mut Running) -> Value {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(running.stdout.read_u8().await.expect("a header"));
    }
    let text = String::from_utf8(head).expect("ASCII");
    let length = text.trim().rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a length");
    let mut body = vec![0; length];
    running.stdout.read_exact(&mut body).await.expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}
