//! Clients and servers of the model dialects that others wrote, fetched by the ordinary client of their registry.
//!
//! What is fetched stands with exact versions and digests in `tests/peers/package-lock.json`, without addresses: it
//! comes from whichever registry the person's npm is set up for. To take other versions, change `package.json` and run
//! `npm install --package-lock-only --omit-lockfile-registry-resolved` beside it.
//!
//! `@portkey-ai/gateway` gets an older `@hono/node-server`: with the newest it fails every stream.

use crate::real_cli::{cache_dir, skipped_by};
use crate::real_mcp::program_or;
use crate::rig::{CANARY_KEY, PATIENCE};
use llm_provider_host::egress::{Egress, EgressLimits, EgressPolicy, Origin, Trust};
use llm_provider_host::process::{Child, Running, Spec};
use llm_provider_host::{Capability, Destination, Host, HostConfig, Instance, Policy, Secret, SecretGrant};
use llmp_model_server::{ModelServer, Script};
use serde_json::{Value, json};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

/// Turns the tests with peers into a printed skip. Without it, a peer that cannot be had is a failure.
pub const SKIP: &str = "LLMP_TEST_SKIP_REAL_PEERS";

const PACKAGE: &str = include_str!("../peers/package.json");
const LOCK: &str = include_str!("../peers/package-lock.json");

/// True when the person asked for no tests with peers; says so.
#[must_use]
pub fn skipped(test: &str) -> bool {
    skipped_by(SKIP, test)
}

/// A script in Node, which finds the packages, in an empty environment.
async fn node(script: &str, arguments: &[&str]) -> Spec {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    let directory =
        INSTALLED.get_or_init(|| async { tokio::task::spawn_blocking(fetch).await.expect("no panic") }).await;
    let spec = Spec::new(program_or("node", SKIP), directory);
    let spec = spec.arg("--input-type=module").arg("--eval").arg(script).arg("--");
    arguments.iter().fold(spec, |spec, argument| spec.arg(argument))
}

/// Fetches them once for a target directory. Several test processes may try at once: the first to rename wins.
fn fetch() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (PACKAGE, LOCK).hash(&mut hasher);
    let directory = cache_dir().join(format!("peers-{:016x}", hasher.finish()));
    if !directory.is_dir() {
        fs::create_dir_all(cache_dir()).expect("a cache");
        let fresh = tempfile::Builder::new().prefix("peers-").tempdir_in(cache_dir()).expect("a directory");
        install(fresh.path());
        match fs::rename(fresh.path(), &directory) {
            Ok(()) => drop(fresh.keep()),
            Err(error) => assert!(directory.is_dir(), "{}: {error}", directory.display()),
        }
    }
    directory
}

fn install(directory: &Path) {
    fs::write(directory.join("package.json"), PACKAGE).expect("a file");
    fs::write(directory.join("package-lock.json"), LOCK).expect("a file");
    let mut npm = Command::new(program_or("npm", SKIP));
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(directory);
    let output = npm.current_dir(directory).stdin(Stdio::null()).output().expect("npm runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let hint = format!("set {SKIP}=1 to skip the tests that need it");
    assert!(output.status.success(), "no peers: npm ended with {}: {said}; {hint}", output.status);
}

/// Runs an official client against a server and returns what it made of it.
///
/// # Panics
/// When the script fails, as it does where the client does not understand the server, or prints no JSON.
pub async fn client(script: &str, base_url: &str) -> Value {
    let Running { stdin, mut stdout, child, .. } =
        Child::spawn(node(script, &[base_url, CANARY_KEY]).await).await.expect("node");
    drop(stdin);
    let mut printed = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stdout.read_to_end(&mut printed)).await;
    assert!(read.is_ok_and(|read| read.is_ok()), "no end: {}", child.stderr_tail());
    let exit = child.wait().await;
    assert!(exit.success(), "{exit:?}: {}", child.stderr_tail());
    serde_json::from_slice(&printed).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&printed)))
}

/// A plugin in front of a gateway that translates into the other dialect, in front of the fake model.
pub struct Peers {
    /// The fake model.
    pub model: ModelServer,
    /// The instance under test.
    pub instance: Instance,
    _gateway: Running,
    _home: TempDir,
}

impl Peers {
    /// The `openai` plugin; the gateway `@portkey-ai/gateway` asks the model in Anthropic's dialect.
    pub async fn openai(script: Script) -> Self {
        let model = ModelServer::start(script).await.expect("a model server");
        let (gateway, origin) = serve(include_str!("../peers/openai-server.mjs"), &model).await;
        let upstream = format!("{}/v1", model.base_url());
        let headers = json!({ "x-portkey-provider": "anthropic", "x-portkey-custom-host": upstream });
        let config = json!({ "base-url": format!("{origin}/v1"), "model": "stub-model", "headers": headers });
        Self::built(model, gateway, &origin, ("openai", llm_provider_bundle::OPENAI, "authorization"), config).await
    }

    /// The `anthropic` plugin; the gateway `@musistudio/llms` asks the model for chat completions.
    pub async fn anthropic(script: Script) -> Self {
        let model = ModelServer::start(script).await.expect("a model server");
        let (gateway, origin) = serve(include_str!("../peers/anthropic-server.mjs"), &model).await;
        let config = json!({ "base-url": origin, "model": "upstream,stub-model" });
        Self::built(model, gateway, &origin, ("anthropic", llm_provider_bundle::ANTHROPIC, "x-api-key"), config).await
    }

    async fn built(
        model: ModelServer,
        gateway: Running,
        origin: &str,
        (name, bytes, header): (&str, &[u8], &str),
        mut config: Value,
    ) -> Self {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let cache_dir = Some(cache_dir().join("compiled"));
        let host = Host::new(HostConfig { cache_dir, ..HostConfig::default() }).expect("a host");
        let plugin = host.load(bytes, name).await.expect("the plugin");
        let origin = Origin::of(origin).expect("an origin");
        let to = Destination::HttpHeader { origin: origin.to_string(), header: header.to_owned() };
        let key = SecretGrant { value: Secret::new(CANARY_KEY), destinations: vec![to] };
        let reach = EgressPolicy::new(Trust::only([]).expect("no authorities")).allow_private(origin);
        let egress = Egress::new(reach, EgressLimits::default()).expect("a way out");
        let home = TempDir::new().expect("a directory");
        let mut policy = Policy::new(home.path()).allow(Capability::Tools).egress(egress).secret("api-key", key);
        policy.seed = Some(SEED.fetch_add(1, Ordering::Relaxed));
        config["api-key"] = json!({ "secret": "api-key" });
        let instance = host.tenant(policy).instance(&plugin, config.to_string()).expect("an instance");
        Self { model, instance, _gateway: gateway, _home: home }
    }
}

/// Starts a gateway in front of a model and waits until it takes connections.
async fn serve(script: &str, model: &ModelServer) -> (Running, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let spec = node(script, &[&port.to_string(), &model.base_url(), CANARY_KEY]).await;
    let running = Child::spawn(spec).await.expect("a gateway");
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        let tail = running.child.stderr_tail();
        assert!(running.child.try_wait().is_none(), "it ended: {tail}");
        assert!(begin.elapsed() < PATIENCE, "it does not listen: {tail}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (running, format!("http://127.0.0.1:{port}"))
}
