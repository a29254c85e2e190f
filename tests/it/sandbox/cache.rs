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
