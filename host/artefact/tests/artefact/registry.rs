//! A registry on loopback with one small package, whose every answer a test can bend.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, LOCATION};
use axum::response::Response;
use base64::Engine;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};
use llm_provider_artefact::{COPILOT_CLI, Platform, Request, Version, npm};
use sha2::{Digest, Sha256, Sha512};

/// Not the pinned version: no pin stands in the way of a synthetic package.
pub(crate) const VERSION: &str = "1.0.50";
pub(crate) const PLATFORM: &str = "linux-x64";

/// An answer of the registry.
#[derive(Clone)]
pub(crate) enum Reply {
    Bytes(Vec<u8>),
    Status(u16),
    Redirect(String),
    /// The body ends early although more was announced.
    CutOff(Vec<u8>, usize),
    /// Head and first bytes, then nothing more.
    Stall(Vec<u8>),
    /// The first time one, later the other.
    Then(Box<Reply>, Box<Reply>),
}

#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
}

#[derive(Clone, Default)]
struct Shared {
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    shared: Shared,
}

impl Registry {
    /// Nothing in it.
    pub(crate) async fn empty() -> Self {
        let shared = Shared::default();
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, shared }
    }

    /// A registry below `/npm/` with one package.
    pub(crate) async fn with(package: &[u8]) -> Self {
        let registry = Self::empty().await;
        registry.list(&registry.url(ARCHIVE), &integrity(package));
        registry.set(ARCHIVE, Reply::Bytes(package.to_vec()));
        registry
    }

    /// Sets the description of the version.
    pub(crate) fn list(&self, archive: &str, integrity: &str) {
        self.list_at(METADATA, archive, integrity);
    }

    /// The same elsewhere.
    pub(crate) fn list_at(&self, path: &str, archive: &str, integrity: &str) {
        let document = format!(
            r#"{{"name":"@github/copilot-linux-x64","version":"{VERSION}","dist":{{"tarball":"{archive}","integrity":"{integrity}"}}}}"#
        );
        self.set(path, Reply::Bytes(document.into_bytes()));
    }

    pub(crate) fn set(&self, path: &str, reply: Reply) {
        self.shared.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn hits(&self, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path == path).count()
    }
}

pub(crate) const METADATA: &str = "/npm/@github%2fcopilot-linux-x64/1.0.50";
pub(crate) const PACKUMENT: &str = "/npm/@github%2fcopilot-linux-x64";
pub(crate) const ARCHIVE: &str = "/npm/@github/copilot-linux-x64/-/copilot-linux-x64-1.0.50.tgz";

async fn answer(State(shared): State<Shared>, request: HttpRequest) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    shared.seen.lock().unwrap().push(Seen { path: path.clone(), authorization });
    let reply = {
        let mut replies = shared.replies.lock().unwrap();
        match replies.get(&path).cloned() {
            Some(Reply::Then(first, later)) => {
                replies.insert(path, *later);
                *first
            }
            Some(reply) => reply,
            None => Reply::Status(404),
        }
    };
    respond(reply)
}

fn respond(reply: Reply) -> Response {
    let builder = Response::builder();
    match reply {
        Reply::Bytes(bytes) => builder.body(Body::from(bytes)).unwrap(),
        Reply::Status(status) => builder.status(status).body(Body::empty()).unwrap(),
        Reply::Redirect(to) => builder.status(302).header(LOCATION, to).body(Body::empty()).unwrap(),
        Reply::CutOff(bytes, announced) => {
            let cut: [Chunk; 2] = [Ok(bytes), Err(std::io::Error::other("cut"))];
            let body = Body::from_stream(stream::iter(cut));
            builder.header(CONTENT_LENGTH, announced).body(body).unwrap()
        }
        Reply::Stall(bytes) => {
            let announced = bytes.len() + 1000;
            let first: [Chunk; 1] = [Ok(bytes)];
            let body = Body::from_stream(stream::iter(first).chain(stream::pending()));
            builder.header(CONTENT_LENGTH, announced).body(body).unwrap()
        }
        Reply::Then(first, _) => respond(*first),
    }
}

type Chunk = Result<Vec<u8>, std::io::Error>;

pub(crate) fn integrity(bytes: &[u8]) -> String {
    format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(Sha512::digest(bytes)))
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A package as npm packs it. The program is noise, so that it does not shrink.
pub(crate) fn package() -> Vec<u8> {
    package_of(&[
        ("package/copilot", 0o755, &program()),
        ("package/package.json", 0o644, PACKAGE_JSON.as_bytes()),
        ("package/LICENSE.md", 0o644, b"licence"),
        ("package/prebuilds/deep/runtime.node", 0o644, b"node"),
    ])
}

pub(crate) const PACKAGE_JSON: &str = r#"{"name":"@github/copilot-linux-x64","version":"1.0.50"}"#;

pub(crate) fn program() -> Vec<u8> {
    let mut state = 1u32;
    let noise = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    noise.take(64 * 1024).collect()
}

pub(crate) fn package_of(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        archive.append_data(&mut header, path, *content).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A request for the synthetic package that sees no configuration but the registry's address.
pub(crate) fn request(registry: &Registry, cache: &Path) -> Request {
    request_with(cache, &[("npm_config_registry", &registry.url("/npm/"))])
}

pub(crate) fn request_with(cache: &Path, env: &[(&str, &str)]) -> Request {
    let platform: Platform = PLATFORM.parse().unwrap();
    let mut request = Request::new(COPILOT_CLI, platform, cache);
    request.version = Version::parse(VERSION).unwrap();
    request.npm = Some(inputs(cache, env));
    request.allow_release = false;
    request.limits.retry_pause = std::time::Duration::from_millis(1);
    request
}

/// Home and working directory are places that do not exist, so that no file of this machine is read.
pub(crate) fn inputs(cache: &Path, env: &[(&str, &str)]) -> npm::Inputs {
    let env: HashMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    npm::Inputs::new(move |name| env.get(name).cloned(), cache.join("no-home"), cache.join("no-work"))
}

/// Everything below a directory, without the lock files.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir_now) = open.pop() {
        for entry in std::fs::read_dir(&dir_now).into_iter().flatten().flatten() {
            let path = entry.path();
            found.push(path.strip_prefix(dir).unwrap().to_string_lossy().into_owned());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            }
        }
    }
    found.retain(|name| !name.ends_with(".lock"));
    found.sort();
    found
}

/// Everything in the product's directory that is not the published tree.
pub(crate) fn leftovers(cache: &Path) -> Vec<String> {
    let all = listing(&cache.join("sidecars/copilot-cli"));
    all.into_iter().filter(|name| !name.starts_with("1.0.50-linux-x64")).collect()
}
