//! Many at once, and killed ones.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::registry::*;
use llm_provider_artefact::{Lookup, Request, locate, obtain};

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
    start_limited(&format!("-f {kib}"), registry, cache)
}

fn start_limited(limit: &str, registry: &Registry, cache: &Path) -> Child {
    let mut shell = Command::new("bash");
    let limited = format!("trap '' XFSZ; ulimit {limit}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(limited).arg(std::env::current_exe().unwrap());
    spawn(shell, registry, cache)
}

fn spawn(mut command: Command, registry: &Registry, cache: &Path) -> Child {
    command
        .args(["--exact", "processes::child", "--nocapture"])
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

/// Runs a test's rounds, so many of them at once: a waiter sleeps between two looks at the lock, and a killed process leaves
/// the machine to others.
async fn at_once<F: Future<Output = ()> + Send + 'static>(lanes: usize, lane: impl Fn(usize) -> F) {
    let mut running = tokio::task::JoinSet::new();
    for at in 0..lanes {
        running.spawn(lane(at));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// H02, processes: a hundred rounds.
#[tokio::test(flavor = "multi_thread")]
async fn h02_sixteen_processes_download_once() {
    at_once(5, |_| async {
        for _ in 0..20 {
            let (registry, cache) = (Registry::with(&package()).await, tempfile::tempdir().unwrap());
            let children: Vec<Child> = (0..16).map(|_| start(&registry, cache.path())).collect();
            for child in children {
                assert!(end(child).await);
            }
            assert_eq!(registry.hits(ARCHIVE), 1);
            assert_eq!(std::fs::read(program_path(cache.path())).unwrap(), program());
            assert_eq!(leftovers(cache.path()), [""; 0]);
        }
    })
    .await;
}

/// H02, tasks of one process: a hundred rounds.
#[tokio::test(flavor = "multi_thread")]
async fn h02_sixteen_tasks_download_once() {
    at_once(25, |_| async {
        for _ in 0..4 {
            let (registry, cache) = (Registry::with(&package()).await, tempfile::tempdir().unwrap());
            let tasks: Vec<_> = (0..16)
                .map(|_| {
                    let request = request(&registry, cache.path());
                    tokio::spawn(async move { obtain(&request, &|_| ()).await.unwrap().path })
                })
                .collect();
            for task in tasks {
                assert_eq!(std::fs::read(task.await.unwrap()).unwrap(), program());
            }
            assert_eq!(registry.hits(ARCHIVE), 1);
        }
    })
    .await;
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

/// What is there after a run that may have failed: all of it or nothing. True when it is all.
async fn is_whole(request: &Request, what: &str) -> bool {
    match locate(request).await.unwrap() {
        Lookup::Found(located) => {
            assert_eq!(std::fs::read(located.path).unwrap(), program(), "{what}");
            true
        }
        Lookup::NotFound { damaged, .. } => {
            assert_eq!(damaged, None, "{what}");
            false
        }
    }
}

fn unpublish(cache: &Path) {
    std::fs::remove_dir_all(program_path(cache).parent().unwrap().parent().unwrap()).unwrap();
}

/// Leaves so many pages of a disk free.
fn fill(disk: &Path, pages: u64) {
    let mut filler = std::fs::File::create(disk.join("filler")).unwrap();
    let full = std::io::copy(&mut std::io::repeat(0), &mut filler).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    filler.set_len(filler.metadata().unwrap().len() - (pages << 12)).unwrap();
}

const SMALL_DISK: &str = "LLMP_ARTEFACT_SMALL_DISK";

/// Not a test but the program of the next one's process: the variable names a registry and a disk of 1 MiB.
#[tokio::test]
async fn small_disk() {
    let Ok(job) = std::env::var(SMALL_DISK) else { return };
    let (registry, disk) = job.split_once('|').unwrap();
    let (disk, cache) = (Path::new(disk), Path::new(disk).join("cache"));
    std::fs::create_dir(&cache).unwrap();
    let request = request_with(&cache, &[("npm_config_registry", registry)]);
    let mut enough = 0;
    for pages in 0..64 {
        fill(disk, pages);
        let obtained = obtain(&request, &|_| ()).await.is_ok();
        assert_eq!(is_whole(&request, &format!("{pages} pages")).await, obtained, "{pages} pages");
        std::fs::remove_file(disk.join("filler")).unwrap();
        if obtained {
            enough += 1;
            unpublish(&cache);
        }
    }
    assert!(enough > 0 && enough < 48, "64 pages were enough {enough} times");
    obtain(&request, &|_| ()).await.unwrap();
    assert_eq!(leftovers(&cache), [""; 0]);
}

/// H01: a disk of 1 MiB that is full after any number of pages, so at any of the writes.
#[tokio::test(flavor = "multi_thread")]
async fn h01_a_disk_that_fills_at_any_page_publishes_nothing_half() {
    const DISK: &str = "mount -t tmpfs -o size=1m tmpfs \"$1\" || exit 77; exec \"$0\" --exact processes::small_disk";
    let registry = Registry::with(&package()).await;
    let place = tempfile::tempdir().unwrap();
    let mut alone = Command::new("unshare");
    alone.args(["--map-root-user", "--mount", "sh", "-c", DISK]);
    alone.arg(std::env::current_exe().unwrap()).arg(place.path());
    alone.env(SMALL_DISK, format!("{}|{}", registry.url("/npm/"), place.path().display()));
    let ran = tokio::task::spawn_blocking(move || alone.output().unwrap()).await.unwrap();
    let (told, why) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if ran.status.code() == Some(77) || why.starts_with("unshare:") {
        println!("NOT CHECKED: no disk of one's own can be had here: {why}");
        return;
    }
    assert!(ran.status.success() && told.contains("1 passed"), "{told}\n{why}");
}

/// One run in which a call fails for the so-manieth time; what the tracer did, or nothing where there is no tracer.
async fn faulty(call: &'static str, time: usize, registry: &str, cache: &Path) -> Option<String> {
    let mut traced = Command::new("strace");
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error=EIO:when={time}"));
    traced.args(["-f", "-qq", "-e", &trace, "-e", &inject]).arg(std::env::current_exe().unwrap());
    traced.args(["--exact", "processes::child", "--nocapture"]).env(CHILD, format!("{registry}|{}", cache.display()));
    let ran = tokio::task::spawn_blocking(move || traced.output()).await.unwrap().ok()?;
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    (!text.contains("PTRACE")).then_some(text)
}

/// H01: no file can be opened any more, from any of the openings on.
#[tokio::test(flavor = "multi_thread")]
async fn h01_without_descriptors_nothing_is_published_half() {
    let registry = Registry::with(&package()).await;
    let mut enough = 0;
    for descriptors in 4..=32 {
        let cache = tempfile::tempdir().unwrap();
        let request = request(&registry, cache.path());
        let obtained = end(start_limited(&format!("-n {descriptors}"), &registry, cache.path())).await;
        let whole = is_whole(&request, &format!("{descriptors} descriptors")).await;
        assert!(whole || !obtained, "{descriptors} descriptors");
        enough += u32::from(obtained);
        obtain(&request, &|_| ()).await.unwrap();
        assert_eq!(leftovers(cache.path()), [""; 0], "{descriptors} descriptors");
    }
    assert!(enough > 0 && enough < 24, "32 descriptors were enough {enough} times");
}

/// H01: each call that makes, syncs, locks, moves or removes a file fails, by strace, which needs no help for that. (What
/// a write fails with is the disk above: here it would fail for what wakes tasks up too.)
#[tokio::test(flavor = "multi_thread")]
async fn h01_a_fault_at_any_call_publishes_nothing_half() {
    const CALLS: [&str; 6] = ["mkdir", "fsync", "flock", "rename", "unlink", "unlinkat"];
    at_once(CALLS.len(), |lane| async move {
        let (registry, call) = (Registry::with(&package()).await, CALLS[lane]);
        for time in 1..=16 {
            let cache = tempfile::tempdir().unwrap();
            let Some(traced) = faulty(call, time, &registry.url("/npm/"), cache.path()).await else {
                println!("NOT CHECKED: nothing can be traced here");
                return;
            };
            let request = request(&registry, cache.path());
            if is_whole(&request, &format!("{call} {time}: {traced}")).await {
                unpublish(cache.path()); // so that the next run downloads, and clears away what could not be removed
            }
            let whole = obtain(&request, &|_| ()).await.unwrap();
            assert_eq!(std::fs::read(whole.path).unwrap(), program());
            assert_eq!(leftovers(cache.path()), [""; 0], "{call} {time}");
            if !traced.contains("(INJECTED)") {
                assert!(time > 1, "{call} is not called");
                return;
            }
        }
    })
    .await;
}

/// H03: a process is killed at some point of its run, 500 times; what can be seen afterwards is nothing or everything.
#[tokio::test(flavor = "multi_thread")]
async fn h03_a_killed_download_leaves_nothing_half() {
    let whole = {
        let (registry, cache) = (Registry::with(&package()).await, tempfile::tempdir().unwrap());
        let begin = Instant::now();
        assert!(end(start(&registry, cache.path())).await);
        begin.elapsed()
    };
    at_once(5, move |lane| async move {
        let (registry, cache) = (Registry::with(&package()).await, tempfile::tempdir().unwrap());
        let request = request(&registry, cache.path());
        let mut random = u64::try_from(lane).unwrap();
        let (mut published, mut nothing) = (0, 0);
        for round in 0..100 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let part = u32::try_from(random >> 54).unwrap(); // of 1,024
            let mut child = start(&registry, cache.path());
            tokio::time::sleep(whole * part / 512).await;
            child.kill().unwrap();
            end(child).await;
            if is_whole(&request, &format!("round {round}")).await {
                published += 1;
                unpublish(cache.path());
            } else {
                nothing += 1;
            }
        }
        println!("killed: {published} published, {nothing} not");
        obtain(&request, &|_| ()).await.unwrap();
        assert_eq!(leftovers(cache.path()), [""; 0], "the next run removes what killed ones left");
    })
    .await;
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
