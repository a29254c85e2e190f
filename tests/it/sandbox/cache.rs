//! Compiled plugins on disk: used again, replaced when broken, refused where they cannot be kept.

use llm_provider_host::{Host, HostConfig, HostError, Limits, Plugin};
use llmp_tests::plugins::{NAUGHTY, ask, instance};
use llmp_tests::rig::read;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn load(cache: &Path) -> (Plugin, Duration) {
    let mut limits = Limits::default();
    limits.instances = 8;
    let host =
        Host::new(HostConfig { limits, cache_dir: Some(cache.to_owned()), ..HostConfig::default() }).expect("a host");
    let begin = Instant::now();
    let plugin = host.load_blocking(NAUGHTY, "naughty").expect("a plugin");
    (plugin, begin.elapsed())
}

fn files(below: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(below).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { _ = found.insert(path) }
    }
    found
}

/// The compiled plugin, without the cache's own bookkeeping (`.stats` files, which a use may write).
fn compiled(below: &Path) -> BTreeSet<PathBuf> {
    files(below).into_iter().filter(|path| path.extension().is_none()).collect()
}

async fn works(plugin: &Plugin) -> bool {
    let session = instance(plugin).session();
    read(ask(&session, "hello").await).await.text == "hello"
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_load_is_a_hit() {
    let cache = TempDir::new().expect("a directory");
    let (_, cold) = load(cache.path());
    let kept = compiled(cache.path());
    assert!(!kept.is_empty(), "{:?}", files(cache.path()));
    let written = |path: &PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).expect("a time");
    let times: Vec<_> = kept.iter().map(written).collect();
    let (plugin, warm) = load(cache.path());
    println!("figure: loading the naughty plugin takes {cold:?} cold and {warm:?} from the cache");
    assert_eq!(compiled(cache.path()), kept);
    assert_eq!(kept.iter().map(written).collect::<Vec<_>>(), times, "nothing was compiled anew");
    assert!(warm < cold, "{warm:?} against {cold:?}");
    assert!(works(&plugin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_cache_files_are_compiled_anew() {
    let cache = TempDir::new().expect("a directory");
    load(cache.path());
    for broken in [b"".as_slice(), b"garbage", &[0_u8; 100_000]] {
        for path in compiled(cache.path()) {
            fs::write(path, broken).expect("written");
        }
        let (plugin, _) = load(cache.path());
        assert!(works(&plugin).await, "{} bytes", broken.len());
    }
    for path in compiled(cache.path()) {
        let bytes = fs::read(&path).expect("read");
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
    }
    let (plugin, _) = load(cache.path());
    assert!(works(&plugin).await, "half of each file");
}

#[cfg(unix)]
#[test]
fn the_directory_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let above = TempDir::new().expect("a directory");
    let cache = above.path().join("a/b");
    load(&cache);
    for path in [above.path().join("a"), cache] {
        let mode = fs::metadata(path).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_place_that_is_no_directory_is_a_typed_error() {
    let above = TempDir::new().expect("a directory");
    let file = above.path().join("file");
    fs::write(&file, "x").expect("written");
    for place in [file.clone(), file.join("below")] {
        let made = Host::new(HostConfig { cache_dir: Some(place.clone()), ..HostConfig::default() });
        let error = made.err().expect("refused");
        assert!(matches!(&error, HostError::Io { path, .. } if *path == place), "{error}");
        assert!(error.hint().is_some());
    }
}

/// Whoever may write there runs code in this process, so a directory that others may write to is not taken.
#[cfg(unix)]
#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let cache = TempDir::new().expect("a directory");
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o777)).expect("set");
    let made = Host::new(HostConfig { cache_dir: Some(cache.path().to_owned()), ..HostConfig::default() });
    assert!(made.is_err(), "taken, though everybody can put machine code there");
}

const CHILD: &str = "LLMP_TEST_CACHE";

/// Not a test but the program of the next one's processes: loads a plugin with a cache where the variable says, and asks it.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(cache) = std::env::var_os(CHILD) else { return };
    let (plugin, _) = load(Path::new(&cache));
    assert!(works(&plugin).await);
}

/// H01: what cannot be kept is compiled each time and works; nothing half is taken for a compiled plugin later. (wasmtime clears
/// away what such a write has left when it next tidies its directory up, and keeps this plugin again after that.)
#[tokio::test(flavor = "multi_thread")]
async fn h01_a_cache_on_a_full_disk_is_no_cache() {
    let cache = TempDir::new().expect("a directory");
    let program = std::env::current_exe().expect("this program");
    // No file may have more than so many KiB; what is written beyond fails. The memory of a plugin has less, its code more.
    for kib in [64, 128] {
        let limited = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        let mut shell = std::process::Command::new("bash");
        shell.arg("-c").arg(limited).arg(&program).args(["--exact", "sandbox::cache::child"]);
        let ran = shell.env(CHILD, cache.path()).output().expect("bash");
        let told = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && told.contains("1 passed"), "{told}");
        assert!(compiled(cache.path()).is_empty(), "{kib} KiB were enough: {:?}", files(cache.path()));
    }
    let (plugin, _) = load(cache.path());
    assert!(works(&plugin).await);
    for left in files(cache.path()) {
        fs::remove_file(left).expect("removed");
    }
    load(cache.path());
    assert!(!compiled(cache.path()).is_empty(), "kept as soon as there is room");
}

const SMALL_DISK: &str = "LLMP_TEST_SMALL_DISK";

/// Leaves so many KiB of a disk free.
fn fill(disk: &Path, free_kib: u64) {
    let mut filler = fs::File::create(disk.join("filler")).expect("a file");
    let full = std::io::copy(&mut std::io::repeat(0), &mut filler).expect_err("a disk that never fills");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    let length = filler.metadata().expect("a length").len();
    filler.set_len(length - (free_kib << 10)).expect("cut");
}

/// Removes everything; the cache's own bookkeeping may be quicker.
fn clear(cache: &Path) {
    files(cache).into_iter().for_each(|left| drop(fs::remove_file(left)));
}

/// Not a test but a program of the next one: the variable names a disk of 1 MiB.
#[tokio::test(flavor = "multi_thread")]
async fn small_disk() {
    let Some(disk) = std::env::var_os(SMALL_DISK).map(PathBuf::from) else { return };
    let cache = disk.join("cache");
    load(&cache);
    for free_kib in [0, 4, 64, 128] {
        clear(&cache);
        fill(&disk, free_kib);
        let (plugin, _) = load(&cache);
        assert!(works(&plugin).await, "{free_kib} KiB free");
        assert!(compiled(&cache).is_empty(), "{free_kib} KiB were enough: {:?}", files(&cache));
    }
    clear(&cache);
    fs::remove_file(disk.join("filler")).expect("removed");
    load(&cache);
    assert!(!compiled(&cache).is_empty(), "kept as soon as there is room");
}

/// A disk of 1 MiB that only these processes see: filled to several degrees, then read-only, with nothing on it and with what
/// was kept. `$0` is this program, `$1` where the disk goes.
const DISK: &str = r#"mount -t tmpfs -o size=1m,mode=0700 tmpfs "$1" && mkdir -m 700 "$1/empty" || exit 77
LLMP_TEST_SMALL_DISK="$1" "$0" --exact sandbox::cache::small_disk && mount -o remount,ro "$1" || exit 1
for kept in empty cache; do LLMP_TEST_CACHE="$1/$kept" "$0" --exact sandbox::cache::child || exit 1; done"#;

#[cfg(target_os = "linux")]
#[test]
fn h01_a_cache_on_a_disk_of_1_mib_or_a_read_only_one_is_no_cache() {
    let place = TempDir::new().expect("a directory");
    let program = std::env::current_exe().expect("this program");
    let mut alone = std::process::Command::new("unshare");
    alone.args(["--map-root-user", "--mount", "sh", "-c", DISK]).arg(program).arg(place.path());
    let ran = alone.output().expect("unshare");
    let (told, why) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if ran.status.code() == Some(77) || why.starts_with("unshare:") {
        println!("NOT CHECKED: no disk of one's own can be had here: {why}");
        return;
    }
    assert!(ran.status.success() && told.matches("1 passed").count() == 3, "{told}\n{why}");
}

/// Runs [`child`] with a cache, by itself or by a tracer: what it told, and what the tracer did.
fn run_child(cache: &Path, tracer: &[&str]) -> std::io::Result<(String, String)> {
    let program = std::env::current_exe()?;
    let words = tracer.iter().map(std::ffi::OsStr::new).chain([program.as_os_str()]).collect::<Vec<_>>();
    let mut command = std::process::Command::new(words[0]);
    command.args(&words[1..]).args(["--exact", "sandbox::cache::child"]).env(CHILD, cache);
    let ran = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&ran.stdout), text(&ran.stderr)))
}

/// Each call that puts a compiled plugin into the cache fails, by strace, which does so without the program's help.
#[cfg(target_os = "linux")]
#[test]
fn h01_a_fault_at_each_call_leaves_nothing_that_is_taken_for_a_plugin() {
    let cache = TempDir::new().expect("a directory");
    let (told, _) = run_child(cache.path(), &[]).expect("this program");
    assert!(told.contains("1 passed"), "{told}");
    let kept = compiled(cache.path()).pop_first().expect("a compiled plugin");
    let above = kept.parent().expect("a directory").display().to_string();
    let staged = kept.with_extension("wip-atomic-write-mod").display().to_string();
    for (path, call, error) in [
        (&above, "mkdir", "EROFS"),
        (&above, "mkdir", "ENOSPC"),
        (&staged, "openat", "EIO"),
        (&staged, "openat", "EMFILE"),
        (&staged, "write", "EIO"),
        (&staged, "write", "ENOSPC"),
        (&staged, "rename", "EIO"),
    ] {
        drop(fs::remove_dir_all(cache.path().join("modules")));
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}"));
        let tracer = ["strace", "-f", "-qq", "-P", path, "-e", &trace, "-e", &inject];
        let Ok((told, traced)) = run_child(cache.path(), &tracer) else {
            println!("NOT CHECKED: there is no strace here");
            return;
        };
        if traced.contains("PTRACE") {
            println!("NOT CHECKED: nothing can be traced here: {traced}");
            return;
        }
        assert!(told.contains("1 passed"), "{call} {error}: {told}\n{traced}");
        assert!(traced.contains("(INJECTED)"), "{call} {error} did not happen: {traced}");
        assert!(compiled(cache.path()).is_empty(), "{call} {error}: {:?}", files(cache.path()));
    }
    drop(fs::remove_dir_all(cache.path().join("modules")));
    load(cache.path());
    assert_eq!(compiled(cache.path()).pop_first(), Some(kept), "kept as soon as all is well");
}
