//! Serves the demo model until its standard input ends, and prints its base URL first.
//!
//! `cargo run --release -p llmp-model-server --example serve -- demo|echo|slow`

use std::io::{Read, Write};
use std::time::Duration;

use llmp_model_server::{ModelServer, Reply, Script};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let script = match std::env::args().nth(1).as_deref() {
        Some("echo") => Script::echo(),
        Some("slow") => Script::new(Reply::deltas(["one ", "two ", "three"]).pace(Duration::from_millis(500))),
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
