//! Serves the demo model until its standard input ends, and prints its base URL first.
//!
//! `cargo run --release -p llmp-model-server --example serve -- demo|echo|full|faults`

use std::io::{Read, Write};

use llmp_model_server::{ModelServer, Reply, Script, Usage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let script = match std::env::args().nth(1).as_deref() {
        Some("echo") => Script::echo(),
        Some("full") => Script::new(full()),
        Some("faults") => {
            let broken = || Reply::deltas(["lost ", "lost"]);
            Script::text("at last")
                .then(broken().reset_after(1))
                .then(broken().reset())
                .then(broken().truncate_after(1))
        }
        _ => Script::demo(),
    };
    let server = ModelServer::start(script).await?;
    writeln!(std::io::stdout(), "{}", server.base_url())?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    for request in server.requests() {
        let (number, dialect, state) = (request.number, request.dialect, request.state);
        writeln!(std::io::stdout(), "{number} {dialect} {state:?} {:?}", request.dialogue())?;
    }
    server.stop().await;
    Ok(())
}

/// Reasoning and text with usage, cut every three bytes.
fn full() -> Reply {
    let usage = Usage { input: 106, output: 7, cached: 40, cache_write: 5, reasoning: 3 };
    Reply::new().reasoning(["think ", "hard"]).and_deltas(["zwölf ", "→ ", "🦀"]).usage(usage).split_bytes(3)
}
