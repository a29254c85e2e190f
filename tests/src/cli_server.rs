//! The real Copilot CLI as a server on TCP that somebody else started, and what may stand at its address instead.

use crate::real_cli;
use llm_provider_host::Attach;
use llm_provider_host::process::{Child, Running, Spec, Stdout};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running server. Dropping it kills it.
pub struct CliServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its life.
    pub child: Child,
    home: TempDir,
    _output: Stdout,
}

impl CliServer {
    /// Starts one on a port of its own choice that wants this connection token, or none, and waits for its announcement.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(token: Option<&str>) -> Self {
        let home = TempDir::new().expect("a directory");
        let program = real_cli::located().await.path;
        let arguments = ["--server", "--port", "0", "--no-auto-update", "--no-auto-login", "--log-level", "error"];
        let spec = arguments.into_iter().fold(Spec::new(program, home.path()), Spec::arg);
        let spec = ["HOME", "COPILOT_HOME", "TMPDIR", "XDG_CONFIG_HOME"]
            .into_iter()
            .fold(spec, |spec, name| spec.env(name, home.path()));
        let cache = real_cli::cache_dir().join("copilot-cli-unpacked");
        let spec = spec.env("COPILOT_CACHE_HOME", &cache).env("XDG_CACHE_HOME", &cache);
        let spec = spec.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("COPILOT_DISABLE_KEYTAR", "1");
        let spec = token.into_iter().fold(spec, |spec, token| spec.env("COPILOT_CONNECTION_TOKEN", token));
        let Running { mut stdout, child, .. } = Child::spawn(spec).await.expect("it starts");
        let port = announced(&mut stdout).await;
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child, home, _output: stdout }
    }

    /// As a sidecar attaches to it.
    #[must_use]
    pub fn attach(&self) -> Attach {
        Attach { address: self.address, working_directory: self.home.path().to_owned() }
    }
}

/// The port in the line `CLI server listening on port N`.
async fn announced(output: &mut Stdout) -> u16 {
    let mut text = String::new();
    let mut buffer = [0; 256];
    loop {
        let rest = text.split_once("listening on port ").map(|(_, rest)| rest);
        if let Some((port, _)) = rest.and_then(|rest| rest.split_once('\n')) {
            return port.trim().parse().expect("a port");
        }
        let read = output.read(&mut buffer).await.expect("its output");
        assert!(read > 0, "it ended before it listened: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}

/// Somebody at an address who is not, or not only, a CLI. Dropping it ends it.
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    received: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// What it does with a connection.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Passes everything on to another address.
    Forward(SocketAddr),
    /// Says this and then nothing, and keeps the connection.
    Say(Vec<u8>),
    /// Says this and hangs up.
    SayAndClose(Vec<u8>),
}

impl Listener {
    /// Begins to listen.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (connections, received) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, bytes) = (Arc::clone(&connections), Arc::clone(&received));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                serve(stream, &manner, &bytes).await;
            }
        });
        Self { address, connections, received, task }
    }

    /// How often somebody connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many bytes were said to it; not counted for what it passes on.
    #[must_use]
    pub fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, manner: &Manner, received: &AtomicUsize) {
    let said = match manner {
        Manner::Forward(address) => {
            let mut other = TcpStream::connect(address).await.expect("the other address");
            // How a connection ends is the test's matter, not the forwarder's.
            let _ended = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
            return;
        }
        Manner::Say(said) | Manner::SayAndClose(said) => said,
    };
    let mut buffer = [0; 4096];
    if stream.write_all(said).await.is_err() || matches!(manner, Manner::SayAndClose(_)) {
        return;
    }
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        received.fetch_add(read, Ordering::SeqCst);
    }
}
