//! Compiling in a process of its own (THREATS, row G08): bounded in time and memory, and the host has what it made.

use llm_provider_host::{Capability, CompileWorker, Host, HostConfig, HostError, Limits, Tenant};
use llmp_tests::plugins::{ECHO, NAUGHTY, ask, instance, policy};
use llmp_tests::rig::read;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn ours() -> CompileWorker {
    CompileWorker::new(env!("CARGO_BIN_EXE_compile_worker"))
}

fn host(cache: &Path, worker: CompileWorker, change: impl FnOnce(&mut Limits)) -> Host {
    let mut limits = Limits::default();
    limits.instances = 8;
    change(&mut limits);
    let config = HostConfig { limits, cache_dir: Some(cache.to_owned()), compile_worker: Some(worker) };
    Host::new(config).expect("a host")
}

async fn refused(worker: CompileWorker, change: impl FnOnce(&mut Limits)) -> String {
    let cache = TempDir::new().expect("a directory");
    let begin = Instant::now();
    let error = host(cache.path(), worker, change).load(NAUGHTY, "naughty").await.err().expect("not compiled");
    assert!(matches!(error, HostError::Compile { .. }), "{error:?}");
    assert!(error.hint().is_some() && !error.to_string().contains('\n'), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn g08_what_the_worker_has_compiled_the_host_finds() {
    let cache = TempDir::new().expect("a directory");
    let host = host(cache.path(), ours(), |_| ());
    for round in 0..2 {
        let begin = Instant::now();
        let plugin = host.load(NAUGHTY, "naughty").await.expect("a plugin");
        println!("figure: loading the naughty plugin through a worker, round {round}: {:?}", begin.elapsed());
        let session = instance(&plugin).session();
        assert_eq!(read(ask(&session, "hello").await).await.text, "hello");
    }
}

/// A worker whose work the host would not find makes the host compile in its own process; so it must say that it is of
/// another build, and this is what it compares.
#[tokio::test(flavor = "multi_thread")]
async fn g08_every_host_has_a_worker_of_its_build_whatever_its_limits() {
    let cache = TempDir::new().expect("a directory");
    let other = |limits: &mut Limits| {
        (limits.memory_bytes, limits.table_elements, limits.stack_bytes) = (32 << 20, 5_000, 256 << 10);
        limits.instances = 40;
    };
    host(cache.path(), ours(), other).load(NAUGHTY, "naughty").await.expect("a plugin");
}

fn is_running(line: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let mut lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|found| String::from_utf8_lossy(&found).contains(line))
}

#[tokio::test(flavor = "multi_thread")]
async fn g08_a_worker_that_takes_too_long_is_ended() {
    let sleeps = CompileWorker::new("/bin/sleep").arg("86399");
    let told = refused(sleeps, |limits| limits.compile_deadline = Duration::from_millis(300)).await;
    assert!(told.contains("300ms"), "{told}");
    let ended = async {
        while is_running("sleep\u{0}86399") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the worker is ended");
    let told = refused(ours(), |limits| limits.compile_deadline = Duration::from_millis(1)).await;
    assert!(told.contains("1ms"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g08_a_worker_that_takes_too_much_memory_is_ended() {
    let told = refused(ours(), |limits| limits.compile_bytes = 24 << 20).await;
    assert!(told.contains("ended with"), "{told}");
}

/// However many plugins a tenant loads that take for ever, another's is compiled meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn g08_a_slow_plugin_holds_up_its_own_tenant_only() {
    let cache = TempDir::new().expect("a directory");
    let host = host(cache.path(), ours().arg("wasi:"), |limits| limits.compile_deadline = Duration::from_secs(600));
    let (slow, other) = (host.tenant(policy().allow(Capability::Wasi)), host.tenant(policy()));
    let load = |tenant: &Tenant| {
        let tenant = tenant.clone();
        tokio::spawn(async move { tenant.load(ECHO, "echo").await.map(|_| ()) })
    };
    let never: Vec<_> = (0..5).map(|_| load(&slow)).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let loaded = tokio::time::timeout(Duration::from_secs(60), other.load(NAUGHTY, "naughty")).await;
    loaded.expect("in time").expect("a plugin");
    for load in never {
        assert!(!load.is_finished());
        load.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_worker_is_told() {
    assert!(refused(CompileWorker::new("/bin/true"), |_| ()).await.contains("no answer"));
    assert!(refused(CompileWorker::new("/bin/false"), |_| ()).await.contains("ended with"));
    assert!(!refused(CompileWorker::new("/nonexistent"), |_| ()).await.is_empty());
    let config = HostConfig { compile_worker: Some(ours()), ..HostConfig::default() };
    assert!(Host::new(config).is_err(), "a worker has nowhere to put what it makes");
}

/// What is no component at all is refused by its looks, without a process.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_by_its_looks_starts_no_worker() {
    let cache = TempDir::new().expect("a directory");
    let host = host(cache.path(), CompileWorker::new("/nonexistent"), |_| ());
    let error = host.load(b"garbage".as_slice(), "garbage").await.err().expect("refused");
    assert!(matches!(error, HostError::NotAPlugin { .. }), "{error}");
}
