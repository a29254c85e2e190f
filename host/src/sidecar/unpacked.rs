//! The program of the Copilot CLI, unpacked once (235 MiB) for all tenants, who may read it and not write it.
//!
//! Seen with 1.0.102: `COPILOT_PKG_CACHE_HOME` is where it unpacks itself at its first start, whatever it is asked, and where
//! it is content to only read afterwards; account data stays in `COPILOT_CACHE_HOME`. A version that does not know the
//! variable unpacks itself for each tenant.

use super::cli_environment::{Network, Places, environment};
use super::containment::contained;
use super::copilot_cli::version;
use super::program::SidecarUnavailable;
use crate::private_dir::create_private_dir;
use llm_provider_artefact::{Error, Located, Lock, Platform};
use llm_provider_process::{Child, Running};
use sha2::{Digest, Sha256};
use std::env::consts::{ARCH, OS};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::timeout;

/// How long unpacking may take: 2 s where it was seen, a slow disk included.
const UNPACKING: Duration = Duration::from_secs(120);

/// How long another one is waited for: for one run that takes as long as it may, and the removal of what it left.
const WAITING: Duration = Duration::from_secs(150);

/// Has the program unpack itself into `directory`, unless it has done so before. One run at a time over all processes of the
/// machine: whoever comes meanwhile waits for it and finds it done.
pub(super) async fn unpack(found: &Located, directory: &Path, network: &Network) -> Result<(), SidecarUnavailable> {
    let done = done(found, directory);
    let is_done = || done.as_ref().is_some_and(|done| done.exists());
    if is_done() {
        return Ok(());
    }
    create_private_dir(directory).map_err(|error| failed(directory, error))?;
    let _held =
        lock(directory).await.map_err(|error| SidecarUnavailable { message: error.to_string(), hint: error.hint() })?;
    if is_done() {
        return Ok(());
    }
    tracing::debug!(directory = %directory.display(), "the Copilot CLI unpacks itself");
    // Nobody else is there, under the lock. What stays there is empty, but for that of a run that was killed.
    let scratch = directory.join("unpacking");
    clear(&scratch).await;
    let ran = run(found, directory, &scratch, network).await;
    clear(&scratch).await;
    ran?;
    done.map_or(Ok(()), |done| std::fs::write(done, "")).map_err(|error| failed(directory, error))
}

async fn run(found: &Located, directory: &Path, scratch: &Path, network: &Network) -> Result<(), SidecarUnavailable> {
    // It writes as no tenant does, in places of its own.
    let places = Places::below(scratch, "copilot-cli", None).of_the_unpacker(directory);
    places.create()?;
    let spec = contained(&found.path, &places, network, &[]).arg("--version");
    let spec = environment(spec, &places, network, &[], &[])?;
    let Running { child, stdin, stdout, .. } = Child::spawn(spec).await.map_err(|error| failed(directory, error))?;
    drop(stdin);
    let exit = timeout(UNPACKING, child.wait())
        .await
        .map_err(|_| failed(directory, format!("it took more than {UNPACKING:?}")))?;
    drop(stdout);
    if exit.success() {
        return Ok(());
    }
    Err(failed(directory, format!("it ended with {exit}: {}", child.stderr_tail().trim())))
}

fn failed(directory: &Path, what: impl std::fmt::Display) -> SidecarUnavailable {
    SidecarUnavailable {
        message: format!("the Copilot CLI cannot be unpacked into {}: {what}", directory.display()),
        hint: Some("make room there, or choose another cache directory".into()),
    }
}

/// Beside the directory: tenants read what is in it, and who can read a file can hold its lock. In it where nothing can be
/// made beside it, as where it is a disk of its own.
async fn lock(directory: &Path) -> Result<Lock, Error> {
    // One lock, whatever name the directory goes by.
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let mut beside = directory.clone().into_os_string();
    beside.push(".lock");
    match Lock::take(Path::new(&beside), WAITING, || ()).await {
        Err(Error::Cache { .. }) => Lock::take(&directory.join("unpacking.lock"), WAITING, || ()).await,
        held => held,
    }
}

/// On a thread of its own: a run that was killed may have left 235 MiB.
async fn clear(scratch: &Path) {
    let scratch = scratch.to_owned();
    drop(tokio::task::spawn_blocking(move || std::fs::remove_dir_all(scratch)).await);
}

/// Says that this program was unpacked; nothing where it cannot be told from another one.
fn done(found: &Located, directory: &Path) -> Option<PathBuf> {
    let platform = Platform::current().map_or_else(|_| format!("{OS}-{ARCH}"), |platform| platform.to_string());
    let identity: String = Sha256::digest(identity(found)?).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Some(directory.join(format!("unpacked-{}-{platform}-{identity}", version(found))))
}

/// What a program is told from others by: its digest, else its place, its size and its time of last change.
fn identity(found: &Located) -> Option<String> {
    if let Some(digest) = found.digest {
        return Some(digest.to_string());
    }
    // A package manager's update lets a link lead elsewhere.
    let path = found.path.canonicalize().ok()?;
    let data = path.metadata().ok()?;
    let changed = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{path:?} {} {changed:?}", data.len()))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use llm_provider_artefact::{Integrity, Origin, Verified, Version};
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    /// Says that it ran, and fails where another one runs in the same place or takes it away.
    const UNPACKER: &str = "#!/bin/sh\necho ran >> \"$COPILOT_PKG_CACHE_HOME/runs\"\nmkdir \"$TMPDIR/one\" || exit 3\n\
                            sleep 0.5\ntest -d \"$TMPDIR/one\" || exit 4\n";

    struct Machine {
        root: TempDir,
    }

    impl Machine {
        fn new() -> Self {
            Self { root: TempDir::new().expect("a directory") }
        }

        fn directory(&self) -> PathBuf {
            self.root.path().join("cache/unpacked")
        }

        fn program(&self, name: &str, script: &str) -> Located {
            let path = self.root.path().join(name).join("copilot");
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(&path, script).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
            let origin = Origin::Path { named_by: "a test".into() };
            Located { path, version: None, origin, verified: Verified::Nothing, digest: None, license: None }
        }

        async fn unpack(&self, found: &Located) -> Result<(), SidecarUnavailable> {
            unpack(found, &self.directory(), &Network::default()).await
        }

        fn runs(&self) -> usize {
            std::fs::read_to_string(self.directory().join("runs")).map_or(0, |text| text.lines().count())
        }

        fn holds(&self, begin: &str) -> usize {
            let entries = std::fs::read_dir(self.directory()).expect("the directory").flatten();
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(begin)).count()
        }
    }

    /// Tasks of one process stand for processes: a lock belongs to the open file.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_at_once_unpack_once() {
        let machine = Machine::new();
        let found = machine.program("bin", UNPACKER);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (found, directory) = (found.clone(), machine.directory());
                tokio::spawn(async move { unpack(&found, &directory, &Network::default()).await })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic").expect("unpacked");
        }
        assert_eq!((machine.runs(), machine.holds("unpacked-"), machine.holds("unpacking")), (1, 1, 0));
        machine.unpack(&found).await.expect("unpacked before");
        assert_eq!(machine.runs(), 1);
    }

    #[tokio::test]
    async fn another_program_of_the_same_version_is_unpacked_too() {
        let machine = Machine::new();
        let quick = "#!/bin/sh\necho ran >> \"$COPILOT_PKG_CACHE_HOME/runs\"\n";
        let (one, other) = (machine.program("one", quick), machine.program("other", quick));
        for (found, runs) in [(&one, 1), (&one, 1), (&other, 2), (&one, 2)] {
            machine.unpack(found).await.expect("unpacked");
            assert_eq!(machine.runs(), runs, "{found:?}");
        }
        machine.program("one", &format!("{quick}# an update in its place\n"));
        machine.unpack(&one).await.expect("unpacked");
        assert_eq!(machine.runs(), 3);

        let digest = |byte| Some(Integrity::Sha256([byte; 32]));
        let version = Some(Version::new(1, 0, 102));
        for (byte, path, runs) in [(1, &one.path, 4), (1, &other.path, 4), (2, &other.path, 5)] {
            let found = Located { digest: digest(byte), version: version.clone(), path: path.clone(), ..one.clone() };
            machine.unpack(&found).await.expect("unpacked");
            assert_eq!(machine.runs(), runs, "{found:?}");
        }
        let gone = Located { path: machine.root.path().join("gone"), ..one };
        assert_eq!(done(&gone, &machine.directory()), None, "what cannot be told apart has no mark");
    }

    #[tokio::test]
    async fn a_run_that_failed_counts_for_nothing_and_what_a_killed_one_left_is_no_obstacle() {
        let machine = Machine::new();
        let fails = machine.program("bin", "#!/bin/sh\necho no room >&2\nexit 9\n");
        let error = machine.unpack(&fails).await.expect_err("it fails");
        assert!(error.message.contains("no room") && error.hint.is_some(), "{error}");
        assert_eq!((machine.holds("unpacked-"), machine.holds("unpacking")), (0, 0));

        std::fs::create_dir_all(machine.directory().join("unpacking/copilot-cli/tmp/one")).expect("left behind");
        // Nothing can be made beside it.
        std::fs::remove_file(machine.root.path().join("cache/unpacked.lock")).expect("it was beside");
        std::fs::create_dir(machine.root.path().join("cache/unpacked.lock")).expect("an obstacle");
        machine.unpack(&machine.program("bin", UNPACKER)).await.expect("unpacked");
        assert_eq!((machine.runs(), machine.holds("unpacked-"), machine.holds("unpacking.lock")), (1, 1, 1));
    }
}
