//! What is at the other end of a run: a process of its own, or a connection to one that runs already.

use super::program::{SidecarUnavailable, Start};
use crate::error::one_line;
use llm_provider_process::{Child, Exit, SpawnError, Spec};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How long a connection to a running server may take: it is on this machine or beside it.
const CONNECT: Duration = Duration::from_secs(10);

/// What is written to it.
pub(super) type Input = Box<dyn AsyncWrite + Send + Unpin>;
/// What it writes.
pub(super) type Output = Box<dyn AsyncRead + Send + Unpin>;

/// A run's other end, with its pipes.
pub(super) struct Reached {
    pub(super) input: Input,
    pub(super) output: Output,
    pub(super) peer: Peer,
}

/// The life of the other end. Dropping it ends a process, and hangs up a connection.
pub(super) enum Peer {
    Process(Child),
    Connection(watch::Sender<bool>),
}

impl Peer {
    /// Starts or connects. `prepare` adds what every process of this host gets.
    pub(super) async fn reach(start: Start, prepare: impl FnOnce(Spec) -> Spec) -> Result<Reached, SidecarUnavailable> {
        match start {
            Start::Spawn(spec) => spawn(prepare(*spec)).await,
            Start::Attach(address) => attach(address).await,
        }
    }

    /// True when others use it too.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Connection(_))
    }

    /// Waits for its end: that of the process, or that of the connection, which [`Peer::hung_up`] tells.
    pub(super) async fn wait(&self) -> Exit {
        match self {
            Self::Process(child) => child.wait().await,
            Self::Connection(over) => {
                // The sender is held here, so the only end of this wait is the hang-up.
                drop(over.subscribe().wait_for(|over| *over).await);
                Exit { code: None, signal: None }
            }
        }
    }

    /// The connection was closed by the other side, or is to be.
    pub(super) fn hung_up(&self) {
        if let Self::Connection(over) = self {
            over.send_replace(true);
        }
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        match self {
            Self::Process(child) => child.kill(),
            Self::Connection(_) => self.hung_up(),
        }
    }

    /// Ends it politely. A connection is just closed: whoever started the server ends it.
    pub(super) async fn stop(&self, grace: Duration) {
        match self {
            Self::Process(child) => drop(child.stop(grace).await),
            Self::Connection(_) => self.hung_up(),
        }
    }

    /// The last lines of its standard error.
    pub(super) fn stderr_tail(&self) -> String {
        match self {
            Self::Process(child) => child.stderr_tail(),
            Self::Connection(_) => String::new(),
        }
    }
}

async fn spawn(spec: Spec) -> Result<Reached, SidecarUnavailable> {
    let failed = |error: SpawnError| {
        let hint = match &error {
            SpawnError::Isolation { reason, .. } => reason.hint().map(str::to_owned),
            _ => None,
        };
        SidecarUnavailable { message: one_line(error), hint }
    };
    let running = Child::spawn(spec).await.map_err(failed)?;
    Ok(Reached { input: Box::new(running.stdin), output: Box::new(running.stdout), peer: Peer::Process(running.child) })
}

async fn attach(address: SocketAddr) -> Result<Reached, SidecarUnavailable> {
    let failed = |why: String| SidecarUnavailable {
        message: format!("cannot connect to the running sidecar at {address}: {why}"),
        hint: Some("start it, or correct its address".into()),
    };
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| failed(format!("no answer within {CONNECT:?}")))?;
    let stream = stream.map_err(|error| failed(error.to_string()))?;
    // Frames are small and answered one by one: waiting to fill packets would only slow them.
    stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
    let (output, input) = stream.into_split();
    let (over, _) = watch::channel(false);
    Ok(Reached { input: Box::new(input), output: Box::new(output), peer: Peer::Connection(over) })
}
