//! The server: its socket, its connections, and what a test may ask and change while it runs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::recorder::RecordedRequest;
use crate::reply::Reply;
use crate::script::{MAX_QUEUED, Responder, Script};
use crate::serve::{Shared, serve};
use crate::socket::{Line, Socket};

/// Connections at once. More wait in the listener's backlog. A test of a thousand sessions fits; a loop that forgets to
/// close does not eat all file descriptors.
const MAX_CONNECTIONS: usize = 1024;

/// After a failed accept (no file descriptor is left, mostly): long enough not to spin, too short to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The loopback port could not be opened.
    #[error("cannot listen on loopback: {0}")]
    Listen(#[from] io::Error),
    /// The script queues too many replies.
    #[error(transparent)]
    Queue(#[from] QueueFull),
}

/// More replies than the queue holds.
#[derive(Debug, thiserror::Error)]
#[error("the queue holds at most {MAX_QUEUED} replies; use a `Responder` for more")]
pub struct QueueFull;

/// What was waited for did not happen in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {waited:?} in vain; the server saw {seen} model requests")]
#[non_exhaustive]
pub struct WaitTimeout {
    /// How long was waited.
    pub waited: Duration,
    /// Model requests since the start.
    pub seen: u64,
}

/// A model server on `127.0.0.1`, on a port that the system chose.
///
/// Dropping it closes all connections and frees the port as soon as the runtime gets to it; [`ModelServer::stop`]
/// waits for that.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use llmp_model_server::{ModelServer, Reply, Script};
/// let script = Script::echo().then(Reply::error(429, "slow down").retry_after(3));
/// let server = ModelServer::start(script).await.unwrap();
/// assert!(server.openai_base_url().ends_with("/v1"));
/// assert!(server.requests().is_empty());
/// # });
/// ```
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Dropping it ends the accept task, which ends the connections.
    stop: Option<oneshot::Sender<()>>,
    accept: JoinHandle<()>,
}

impl ModelServer {
    /// Starts a server on the current tokio runtime, which must have its I/O and time drivers on.
    ///
    /// # Errors
    /// No port on loopback, or a script with more than [`MAX_QUEUED`] replies.
    ///
    /// # Cancel safety
    /// Nothing runs when this future is dropped before it ends.
    pub async fn start(script: Script) -> Result<Self, StartError> {
        if script.queue.len() > MAX_QUEUED {
            return Err(QueueFull.into());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(script));
        let (stop, stopped) = oneshot::channel();
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Ok(Self { address, shared, stop: Some(stop), accept })
    }

    /// Closes all connections, frees the port, and waits until that is done.
    ///
    /// # Cancel safety
    /// Dropping this future is dropping the server.
    pub async fn stop(mut self) {
        self.begin_stop();
        // The task can only fail by a panic of its own, and then it is gone too.
        (&mut self.accept).await.ok();
    }

    fn begin_stop(&mut self) {
        self.shared.recorder.stop();
        drop(self.stop.take());
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`: the base URL for Anthropic's clients, which add `/v1/messages`, and for Gemini's, which
    /// add `/v1beta/models/...`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://127.0.0.1:PORT/v1`: the base URL for OpenAI's clients, which add `/chat/completions` or `/responses`.
    #[must_use]
    pub fn openai_base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The model requests that are still in the ring, oldest first, as of now.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.recorder.requests()
    }

    /// Model requests since the start, also those that have left the ring.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.shared.recorder.seen()
    }

    /// Queues a reply before the default.
    ///
    /// # Errors
    /// [`MAX_QUEUED`] replies wait already.
    pub fn push(&self, reply: Reply) -> Result<(), QueueFull> {
        let mut plan = self.shared.plan();
        if plan.queue.len() >= MAX_QUEUED {
            return Err(QueueFull);
        }
        plan.queue.push_back(reply);
        Ok(())
    }

    /// Replies that still wait in the queue.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.plan().queue.len()
    }

    /// Replaces the default: a [`Reply`] or a [`Responder`]. Queued replies still come first.
    pub fn set_default(&self, default: impl Into<Responder>) {
        self.shared.plan().default = default.into();
    }

    /// Waits until `count` model requests have come since the start, and returns those in the ring.
    ///
    /// # Errors
    /// Fewer had come after `timeout`.
    ///
    /// # Cancel safety
    /// Nothing is lost when this future is dropped.
    pub async fn wait_for_requests(&self, count: u64, timeout: Duration) -> Result<Vec<RecordedRequest>, WaitTimeout> {
        let wait = self.shared.recorder.wait(timeout, |_, seen| seen >= count);
        wait.await.map_err(|seen| WaitTimeout { waited: timeout, seen })
    }

    /// Waits until `wanted` holds for the requests in the ring, e.g. "the second was disconnected".
    ///
    /// # Errors
    /// It did not hold after `timeout`.
    ///
    /// # Cancel safety
    /// Nothing is lost when this future is dropped.
    pub async fn wait_until(
        &self,
        timeout: Duration,
        mut wanted: impl FnMut(&[RecordedRequest]) -> bool,
    ) -> Result<Vec<RecordedRequest>, WaitTimeout> {
        let wait = self.shared.recorder.wait(timeout, |requests, _| wanted(requests));
        wait.await.map_err(|seen| WaitTimeout { waited: timeout, seen })
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.begin_stop();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Without this a small delta would wait for the acknowledgement of the one before. A refusal only costs time.
    stream.set_nodelay(true).ok();
    let line = Arc::new(Line::default());
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&line)));
    let service = service_fn(|request| serve(Arc::clone(&shared), Arc::clone(&line), request));
    // An error here is a client that left or a scripted fault; both are in the record of the request.
    http1::Builder::new().header_read_timeout(None).serve_connection(socket, service).await.ok();
}
