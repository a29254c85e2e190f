//! The engine that runs plugins, and where it keeps them compiled.

use crate::config::{Resolved, printable};
use crate::failure::Failure;
use crate::output::tell;
use llm_provider_host::{CompileWorker, Host, HostConfig};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// The engine. A cache that cannot be used costs a second, not the answer.
pub(super) struct Engine {
    pub(super) host: Host,
    /// The cache of this run, where there is no other and there must be one.
    pub(super) cache: Option<TempDir>,
}

impl Engine {
    pub(super) fn new(resolved: &Resolved) -> Result<Self, Failure> {
        let worker = worker(resolved)?;
        let error = match Host::new(config(resolved.cache_dir.value.join("compiled"), worker.clone())) {
            Ok(host) => return Ok(Self { host, cache: None }),
            Err(error) => error,
        };
        tell(&printable(&format!("warning: plugins are compiled each time: {error}")));
        match worker {
            None => Ok(Self { host: Host::new(HostConfig::default())?, cache: None }),
            // The worker hands over what it compiled in a cache, and without the worker nothing could end a compilation.
            Some(worker) => {
                let cache = directory()?;
                let host = Host::new(config(cache.path().to_owned(), Some(worker)))?;
                Ok(Self { host, cache: Some(cache) })
            }
        }
    }
}

/// A plugin from a file is compiled by a worker, which is this program too: it may come from anywhere.
fn worker(resolved: &Resolved) -> Result<Option<CompileWorker>, Failure> {
    if resolved.plugin.is_none() {
        return Ok(None);
    }
    let this = std::env::current_exe().map_err(|error| {
        let message = format!("this program does not find itself, to compile the plugin with: {error}");
        Failure::usage(message, "start it by its path, or leave `plugin` out")
    })?;
    Ok(Some(CompileWorker::new(this).arg("compile-worker")))
}

fn config(cache_dir: PathBuf, compile_worker: Option<CompileWorker>) -> HostConfig {
    HostConfig { cache_dir: Some(cache_dir), compile_worker, ..HostConfig::default() }
}

/// A directory for this run alone.
fn directory() -> Result<TempDir, Failure> {
    let made = tempfile::Builder::new().prefix("llmp-compiled-").permissions(Permissions::from_mode(0o700)).tempdir();
    made.map_err(|error| {
        let message = format!("there is no place to compile the plugin in: {error}");
        Failure::usage(message, "make the cache directory writable, or set LLMP_CACHE_DIR to another")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::scratch::Scratch;
    use crate::config::{self, Environment, Flags};

    fn engine(scratch: &Scratch, plugin: Option<&str>) -> Engine {
        let variables = [("HOME", scratch.path("home")), ("LLMP_CACHE_DIR", scratch.path("file/below"))];
        let env = Environment::of(variables.map(|(name, path)| (name, path.display().to_string())));
        let flags = Flags { plugin: plugin.map(PathBuf::from), ..Flags::default() };
        let (resolved, _) = config::resolve(&flags, &env, &scratch.path("work")).expect("resolves");
        Engine::new(&resolved).expect("an engine")
    }

    /// The worker of a test is the test itself, which compiles nothing: what loads was compiled in this process.
    #[tokio::test]
    async fn without_a_cache_a_plugin_of_a_file_is_still_the_workers_to_compile() {
        let scratch = Scratch::new();
        scratch.write("file", "");
        let engine = engine(&scratch, Some("x.wasm"));
        let cache = engine.cache.as_ref().expect("a cache of its own").path().to_owned();
        assert_eq!(cache.metadata().expect("made").permissions().mode() & 0o777, 0o700);
        let error = engine.host.load(llm_provider_bundle::OPENAI, "x").await.err().expect("not compiled here");
        assert!(matches!(error, llm_provider_host::HostError::Compile { .. }), "{error:?}");
        drop(engine);
        assert!(!cache.exists(), "it is gone with the run");
    }

    #[tokio::test]
    async fn an_embedded_plugin_needs_neither() {
        let scratch = Scratch::new();
        scratch.write("file", "");
        let engine = engine(&scratch, None);
        assert!(engine.cache.is_none());
        engine.host.load(llm_provider_bundle::OPENAI, "x").await.expect("compiled");
    }
}
