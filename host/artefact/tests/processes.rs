//! Many at once, and killed ones.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failing test panics and says where"
)]

mod registry;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use llm_provider_artefact::{Lookup, locate, obtain};
use registry::*;

const CHILD: &str = "LLMP_ARTEFACT_CHILD";

/// Not a test but the program of the child processes: one `obtain` of what the variable names.
#[tokio::test]
async fn child() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let (registry, cache) = job.split_once('|').unwrap();
    let request = request_with(Path::new(cache), &[("npm_config_registry", registry)]);
    let located = obtain(&request, &|_| ()).await.unwrap();
    assert_eq!(std::fs::read(located.path).unwrap(), program());
}

fn start(registry: &Registry, cache: &Path) -> Child {
    spawn(Command::new(std::env::current_exe().unwrap()), registry, cache)
}

/// The same where no file may have more than so many KiB: what is written beyond fails, as on a disk that is full.
fn start_on_a_full_disk(kib: u32, registry: &Registry, cache: &Path) -> Child {
    let mut shell = Command::new("bash");
    let limited = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(limited).arg(std::env::current_exe().unwrap());
    spawn(shell, registry, cache)
}

fn spawn(mut command: Command, registry: &Registry, cache: &Path) -> Child {
    command
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, format!("{}|{}", registry.url("/npm/"), cache.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn end(mut child: Child) -> bool {
    tokio::task::spawn_blocking(move || child.wait().unwrap().success()).await.unwrap()
}

fn program_path(cache: &Path) -> PathBuf {
    cache.join("sidecars/copilot-cli/1.0.50-linux-x64/package/copilot")
}

/// H02, processes.
#[tokio::test(flavor = "multi_thread")]
async fn h02_sixteen_processes_download_once() {
    let registry = Registry::with(&package()).await;
    for round in 1..=5 {
        let cache = tempfile::tempdir().unwrap();
        let children: Vec<Child> = (0..16).map(|_| start(&registry, cache.path())).collect();
        for child in children {
            assert!(end(child).await);
        }
        assert_eq!(registry.hits(ARCHIVE), round);
        assert_eq!(std::fs::read(program_path(cache.path())).unwrap(), program());
        assert_eq!(leftovers(cache.path()), [""; 0]);
    }
}

/// H02, tasks of one process.
#[tokio::test(flavor = "multi_thread")]
async fn h02_sixteen_tasks_download_once() {
    let registry = Registry::with(&package()).await;
    for round in 1..=20 {
        let cache = tempfile::tempdir().unwrap();
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let request = request(&registry, cache.path());
                tokio::spawn(async move { obtain(&request, &|_| ()).await.unwrap().path })
            })
            .collect();
        for task in tasks {
            assert_eq!(std::fs::read(task.await.unwrap()).unwrap(), program());
        }
        assert_eq!(registry.hits(ARCHIVE), round);
    }
}

/// H01: a disk that is full leaves nothing half, and no obstacle for when there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn h01_a_full_disk_publishes_nothing() {
    let registry = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    let size = u32::try_from(program().len() / 1024).unwrap();
    assert!(size >= 16, "the program is too small to be cut: {size} KiB");
    for kib in [0, 1, size / 2, size - 1] {
        assert!(!end(start_on_a_full_disk(kib, &registry, cache.path())).await, "{kib} KiB were enough");
        let Lookup::NotFound { damaged, .. } = locate(&request(&registry, cache.path())).await.unwrap() else {
            panic!("something was published with {kib} KiB");
        };
        assert_eq!(damaged, None, "{kib} KiB");
    }
    assert!(end(start(&registry, cache.path())).await);
    assert_eq!(std::fs::read(program_path(cache.path())).unwrap(), program());
    assert_eq!(leftovers(cache.path()), [""; 0]);
}

/// H03: a process is killed at some point of its run; what can be seen afterwards is nothing or everything.
#[tokio::test(flavor = "multi_thread")]
async fn h03_a_killed_download_leaves_nothing_half() {
    let registry = Registry::with(&package()).await;
    let whole = {
        let cache = tempfile::tempdir().unwrap();
        let begin = Instant::now();
        assert!(end(start(&registry, cache.path())).await);
        begin.elapsed()
    };
    let cache = tempfile::tempdir().unwrap();
    let request = request(&registry, cache.path());
    let (mut published, mut nothing) = (0, 0);
    for round in 0..100u32 {
        let mut child = start(&registry, cache.path());
        tokio::time::sleep(whole.mul_f64(f64::from(round % 50) / 40.0)).await;
        child.kill().unwrap();
        end(child).await;
        match locate(&request).await.unwrap() {
            Lookup::Found(located) => {
                assert_eq!(std::fs::read(located.path).unwrap(), program());
                published += 1;
                std::fs::remove_dir_all(program_path(cache.path()).parent().unwrap().parent().unwrap()).unwrap();
            }
            Lookup::NotFound { damaged, .. } => {
                assert_eq!(damaged, None, "round {round}");
                nothing += 1;
            }
        }
    }
    println!("killed: {published} published, {nothing} not");
    obtain(&request, &|_| ()).await.unwrap();
    assert_eq!(leftovers(cache.path()), [""; 0], "the next run removes what killed ones left");
}

#[tokio::test]
async fn stale_staging_of_this_package_goes_that_of_others_stays() {
    let registry = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    let product = cache.path().join("sidecars/copilot-cli");
    let staging = |name: &str| {
        std::fs::create_dir_all(product.join(name).join("tree/package")).unwrap();
        std::fs::write(product.join(name).join("archive.tgz"), "half").unwrap();
        std::fs::write(product.join(name).join("tree/package/copilot"), "half").unwrap();
    };
    let others = [
        ".staging-1.0.51-linux-x64-abc",
        ".staging-1.0.50-linux-x64-rc.1-linux-x64-abc",
        ".staging-1.0.50-linux-arm64-a",
    ];
    staging(".staging-1.0.50-linux-x64-abcdef");
    others.iter().for_each(|name| staging(name));
    obtain(&request(&registry, cache.path()), &|_| ()).await.unwrap();
    let mut left: Vec<_> = leftovers(cache.path()).into_iter().filter(|name| !name.contains('/')).collect();
    left.sort();
    let mut want = others.map(str::to_owned).to_vec();
    want.sort();
    assert_eq!(left, want);
}

#[tokio::test]
async fn a_lock_that_is_held_for_ever_is_an_error() {
    let registry = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    let product = cache.path().join("sidecars/copilot-cli");
    std::fs::create_dir_all(&product).unwrap();
    let held = std::fs::File::create(product.join("1.0.50-linux-x64.lock")).unwrap();
    held.lock().unwrap();
    let mut request = request(&registry, cache.path());
    request.limits.lock = Duration::from_millis(250);
    let waited = std::sync::atomic::AtomicUsize::new(0);
    let error = obtain(&request, &|_| {
        waited.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    })
    .await
    .unwrap_err();
    assert!(matches!(error, llm_provider_artefact::Error::LockTimeout { .. }), "{error}");
    assert_eq!(waited.into_inner(), 1, "told once");
    assert!(registry.seen().is_empty());
    held.unlock().unwrap();
    obtain(&request, &|_| ()).await.unwrap();
}
