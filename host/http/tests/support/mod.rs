//! What the tests share: servers on loopback that do exactly what they are told, and name servers that lie.
#![allow(dead_code)] // each test binary uses a part

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_provider_http::{
    Egress, EgressLimits, EgressPolicy, Event, Failure, Request, Resolver, Resolving, ResponseHead, Trust,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A server, and what it saw. Ends with the runtime of its test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers every request on a connection with these bytes, then closes it if they say so.
    pub(crate) async fn fixed(response: impl Into<Vec<u8>>) -> Self {
        let response = Arc::new(response.into());
        Self::scripted(move |mut stream, _| {
            let response = Arc::clone(&response);
            async move {
                let _ = stream.write_all(&response).await;
                let text = String::from_utf8_lossy(&response).to_ascii_lowercase();
                (!text.contains("connection: close")).then_some(stream)
            }
        })
        .await
    }

    /// Hands every request to `script`, which returns the stream if it wants another request on it.
    pub(crate) async fn scripted<F, R>(script: F) -> Self
    where
        F: Fn(TcpStream, usize) -> R + Send + Sync + 'static,
        R: Future<Output = Option<TcpStream>> + Send,
    {
        // Both families on every address, so that whatever spelling of this machine got through would arrive.
        let listener = TcpListener::bind("[::]:0").await.unwrap();
        let address = SocketAddr::new([127, 0, 0, 1].into(), listener.local_addr().unwrap().port());
        Self::on(listener, address, move |stream, position, _| script(stream, position))
    }

    /// Hands every request to `script` with its text.
    pub(crate) async fn reading<F, R>(script: F) -> Self
    where
        F: Fn(TcpStream, String) -> R + Send + Sync + 'static,
        R: Future<Output = Option<TcpStream>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::on(listener, address, move |stream, _, request| script(stream, request))
    }

    /// Answers at one address only.
    pub(crate) async fn fixed_at(address: SocketAddr, response: &'static str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::on(listener, address, move |mut stream, _, _| async move {
            let _ = stream.write_all(response.as_bytes()).await;
            None
        })
    }

    fn on<F, R>(listener: TcpListener, address: SocketAddr, script: F) -> Self
    where
        F: Fn(TcpStream, usize, String) -> R + Send + Sync + 'static,
        R: Future<Output = Option<TcpStream>> + Send,
    {
        let server = Self { address, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&server.connections), Arc::clone(&server.requests));
        let script = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (requests, script) = (Arc::clone(&requests), Arc::clone(&script));
                tokio::spawn(async move {
                    let mut stream = Some(stream);
                    while let Some(mut open) = stream.take() {
                        let Some(request) = read_request(&mut open).await else { return };
                        let position = {
                            let mut requests = requests.lock().unwrap();
                            requests.push(request.clone());
                            requests.len() - 1
                        };
                        stream = script(open, position, request).await;
                    }
                });
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Head and body of a request with a length.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    let mut length = None;
    loop {
        if let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let body = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            length = Some(head + 4 + body.unwrap_or(0));
        }
        if length.is_some_and(|length| bytes.len() >= length) {
            return Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A way out to this server, with an explicit grant for loopback.
pub(crate) fn egress_to(server: &Server, limits: EgressLimits) -> Egress {
    let policy = EgressPolicy::new(no_trust()).allow_private(server.url("").parse().unwrap());
    Egress::new(policy, limits).unwrap()
}

pub(crate) fn no_trust() -> Trust {
    Trust::only([]).unwrap()
}

/// All events of a request.
pub(crate) async fn events(egress: &Egress, request: Request) -> Vec<Event> {
    let (sink, mut source) = mpsc::channel(4);
    let exchange = egress.send(request, sink);
    let mut all = Vec::new();
    while let Some(event) = tokio::time::timeout(LONG, source.recv()).await.expect("an event") {
        all.push(event);
    }
    drop(exchange);
    all
}

/// Head and body of a request that succeeds.
pub(crate) async fn answer(egress: &Egress, request: Request) -> (ResponseHead, Vec<u8>) {
    let mut all = events(egress, request).await.into_iter();
    let Some(Event::Response(head)) = all.next() else { panic!("no response") };
    let mut body = Vec::new();
    loop {
        match all.next() {
            Some(Event::Chunk(bytes)) => body.extend(bytes),
            Some(Event::End) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(all.next(), None, "nothing follows the end");
    (head, body)
}

/// The failure of a request that fails, which is its last event and comes once.
pub(crate) async fn failure(egress: &Egress, request: Request) -> Failure {
    let all = events(egress, request).await;
    let terminal = all.iter().filter(|event| matches!(event, Event::End | Event::Failed(_))).count();
    assert_eq!(terminal, 1, "{all:?}");
    match all.into_iter().last() {
        Some(Event::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// A name server of one's own: a list of answers per name, the last one for ever.
#[derive(Default)]
pub(crate) struct FakeDns {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub(crate) asked: AtomicUsize,
}

impl FakeDns {
    pub(crate) fn answer(self, host: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.answers.lock().unwrap().entry(host.to_owned()).or_default().push(addresses);
        self
    }
}

impl Resolver for FakeDns {
    fn resolve(&self, host: String) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.get_mut(&host).map(|list| if list.len() > 1 { list.remove(0) } else { list[0].clone() });
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// Never answers.
pub(crate) struct SilentDns;

impl Resolver for SilentDns {
    fn resolve(&self, _host: String) -> Resolving {
        Box::pin(std::future::pending())
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
