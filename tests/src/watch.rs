//! Watches what every test lets out: the canary key may show up in no log, event, error, file of a tenant or file of the
//! host's cache.
//!
//! Events and errors are looked at where a turn is read, files when a rig is dropped, the log all the time. A test that leaks
//! fails, whatever it is about.

use crate::real_cli;
use crate::rig::CANARY_KEY;
use std::fmt::{self, Debug};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Values of the log that are kept, the first ones: tests write far fewer.
const KEPT: usize = 100_000;

/// What the host and its plugins have logged in this process.
#[derive(Default)]
pub struct Log(Mutex<Vec<String>>);

/// The log, from the first call on. It is the process's subscriber: a test must not install another.
///
/// # Panics
/// When another was installed.
pub fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let log = LOG.get_or_init(Log::default);
    INSTALLED.get_or_init(|| tracing::subscriber::set_global_default(Sink(log)).expect("no other subscriber"));
    log
}

impl Log {
    /// The values that hold a text.
    pub fn with(&self, text: &str) -> Vec<String> {
        self.kept().iter().filter(|value| value.contains(text)).cloned().collect()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, value: String) {
        let mut kept = self.kept();
        if kept.len() < KEPT || value.contains(CANARY_KEY) {
            kept.push(value);
        }
    }
}

struct Sink(&'static Log);

impl Visit for &Sink {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        self.0.keep(format!("{value:?}"));
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        self.0.keep(value.to_owned());
    }
}

impl Subscriber for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("llm")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut &*self);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut &*self);
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut &*self);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Looks at something that a caller was told.
///
/// # Panics
/// When it holds the key.
pub fn told(what: &impl Debug) {
    struct Finder(String);
    impl fmt::Write for Finder {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(text);
            assert!(!self.0.contains(CANARY_KEY), "the key shows up: {}", self.0);
            // Enough for a key that is cut in two.
            let keep = self.0.len().saturating_sub(CANARY_KEY.len());
            let keep = (0..=keep).rev().find(|at| self.0.is_char_boundary(*at)).unwrap_or(0);
            self.0.drain(..keep);
            Ok(())
        }
    }
    fmt::write(&mut Finder(String::new()), format_args!("{what:?}")).expect("a finder takes everything");
}

/// Files below a directory that contain the key.
#[must_use]
pub fn files_with_the_key(directory: &Path) -> Vec<PathBuf> {
    files_with_the_key_since(directory, SystemTime::UNIX_EPOCH)
}

/// Files below a directory that were written at this time or later and contain the key.
fn files_with_the_key_since(directory: &Path, time: SystemTime) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(of) if of.is_dir() => found.extend(files_with_the_key_since(&path, time)),
            Ok(of) if of.is_file() && of.modified().is_ok_and(|written| written >= time) => {
                let bytes = fs::read(&path).unwrap_or_default();
                let has = bytes.windows(CANARY_KEY.len()).any(|window| window == CANARY_KEY.as_bytes());
                found.extend(has.then_some(path));
            }
            _ => {}
        }
    }
    found
}

/// The CLI's own records of a session: what the model itself says is in them, a key that it was told by a test included.
fn is_record(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "events.jsonl" || name.starts_with("session-store.db")
}

/// When this process began to watch. What stood in the cache before, the whole program of the CLI, is not read each time.
static SINCE: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

/// Looks at a tenant's files, at those of the host's cache and at the log when it is dropped.
pub(crate) struct Watch(PathBuf);

impl Watch {
    pub(crate) fn over(directory: &Path) -> Self {
        log();
        LazyLock::force(&SINCE);
        Self(directory.to_owned())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let files = files_with_the_key(&self.0).into_iter().filter(|path| !is_record(path)).collect::<Vec<_>>();
            assert!(files.is_empty(), "the key is in files of a tenant: {files:?}");
            let files = files_with_the_key_since(&real_cli::cache_dir(), *SINCE);
            assert!(files.is_empty(), "the key is in files of the host's cache: {files:?}");
            assert_eq!(log().with(CANARY_KEY), [""; 0], "the key is in the log");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_key_is_found_in_what_is_told_and_in_files() {
        told(&["nothing", "of", "it"]);
        let leak = format!("it is {CANARY_KEY}");
        assert!(std::panic::catch_unwind(|| told(&[leak.as_str()])).is_err());
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("deep")).expect("made");
        fs::write(directory.path().join("deep/file"), &leak).expect("written");
        assert_eq!(files_with_the_key(directory.path()), [directory.path().join("deep/file")]);
        let later = SystemTime::now() + Duration::from_secs(60);
        assert!(files_with_the_key_since(directory.path(), later).is_empty());
    }
}
