//! The host: one engine, its limits, and the plugins loaded into it.

use crate::bindings::LlmProviderPre;
use crate::compile::CompileWorker;
use crate::cpu::Cpu;
use crate::engine;
use crate::error::{HostError, one_line};
use crate::inspect::{Inspection, inspect};
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::policy::Policy;
use crate::private_dir::{create_private_dir, refuse_shared};
use crate::sandbox::{self, State};
use crate::tenant::Tenant;
use crate::ticker::Ticker;
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

/// What a host is built with.
#[derive(Clone, Debug, Default)]
pub struct HostConfig {
    /// What plugins may use.
    pub limits: Limits,
    /// Where compiled plugins are kept; nowhere when absent. Whoever can write there can run code in this process: give
    /// a directory of mode 0700.
    pub cache_dir: Option<PathBuf>,
    /// Who compiles what [`Host::load`] and [`Tenant::load`] are given, within [`Limits::compile_deadline`] and
    /// [`Limits::compile_bytes`]. Without one they compile in this process, where nothing can end a compilation: give one
    /// where plugins come from strangers. It needs a `cache_dir`.
    pub compile_worker: Option<CompileWorker>,
}

/// Runs plugins. Cheap to clone; one for a process is enough.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) limits: Limits,
    /// Calls into plugins never compute on more threads than there are cores, and tenants share them fairly.
    pub(crate) cpu: Cpu,
    engine: Engine,
    linker: Linker<State>,
    compiler: Option<Compiler>,
    pub(crate) ticker: Arc<Ticker>,
}

/// Who compiles, and where to.
struct Compiler {
    worker: CompileWorker,
    cache: PathBuf,
    places: tokio::sync::Semaphore,
}

impl Host {
    /// Sets up the engine.
    ///
    /// # Errors
    /// [`HostError::Io`] when the cache directory cannot be made, [`HostError::Engine`] when the machine cannot give the
    /// address space for [`Limits::instances`].
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        if let Some(path) = &config.cache_dir {
            create_private_dir(path)
                .and_then(|()| refuse_shared(path))
                .map_err(|source| HostError::Io { path: path.clone(), source })?;
        }
        let cache = config.cache_dir.as_deref().map(engine::cache).transpose()?;
        let engine = engine::build(&config.limits, cache)?;
        let compiler = match (config.compile_worker, config.cache_dir) {
            (Some(worker), Some(cache)) => {
                let places = tokio::sync::Semaphore::new(config.limits.compile_workers.max(1));
                Some(Compiler { worker, cache, places })
            }
            (Some(_), None) => return Err(HostError::Engine("a compile worker needs a cache directory".into())),
            (None, _) => None,
        };
        let linker = sandbox::linker(&engine).map_err(|error| HostError::Engine(one_line(format!("{error:#}"))))?;
        let ticker = Arc::new(Ticker::start(&engine, config.limits.tick)?);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let ticking = engine.clone();
        let cpu = Cpu::new(cores, config.limits.suspended_calls, Box::new(move || ticking.increment_epoch()));
        Ok(Self(Arc::new(Inner { limits: config.limits, cpu, engine, linker, compiler, ticker })))
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Reads what a plugin is and wants, without compiling or running it.
    ///
    /// # Errors
    /// [`HostError::NotAPlugin`].
    pub fn inspect(&self, bytes: &[u8], origin: &str) -> Result<Inspection, HostError> {
        inspect(bytes, origin, &self.0.limits)
    }

    /// Inspects and compiles a plugin, or takes the compiled form from the cache. `origin` says where the bytes came
    /// from, for errors. Computes in this thread for as long as compiling takes (1 s per MB), whatever
    /// [`HostConfig::compile_worker`] says: on a runtime, and for strangers' plugins, use [`Host::load`].
    ///
    /// # Errors
    /// [`HostError::NotAPlugin`].
    pub fn load_blocking(&self, bytes: &[u8], origin: &str) -> Result<Plugin, HostError> {
        let inspection = self.inspect(bytes, origin)?;
        let broken = |error: wasmtime::Error| HostError::not_compiled(origin, &one_line(format!("{error:#}")));
        let component = Component::new(&self.0.engine, bytes).map_err(broken)?;
        let pre = self.0.linker.instantiate_pre(&component).and_then(LlmProviderPre::new).map_err(broken)?;
        Ok(Plugin::new(self.clone(), inspection, pre))
    }

    /// [`Host::load_blocking`] on a thread for blocking work, and with [`HostConfig::compile_worker`] after the worker has
    /// compiled it.
    ///
    /// # Errors
    /// [`HostError::NotAPlugin`]; [`HostError::Compile`] when the worker was ended, or could not do its work.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a compilation in this process running; its result is in the cache afterwards. A worker is
    /// ended.
    pub async fn load(&self, bytes: impl Into<Vec<u8>>, origin: &str) -> Result<Plugin, HostError> {
        let (host, bytes, origin) = (self.clone(), bytes.into(), origin.to_owned());
        if let Some(Compiler { worker, cache, places }) = &self.0.compiler {
            // What is refused by its looks costs no process.
            self.inspect(&bytes, &origin)?;
            let _place = places.acquire().await.map_err(|_| HostError::Closed)?;
            worker.compile(&self.0.engine, &self.0.limits, cache, &bytes, &origin).await?;
        }
        tokio::task::spawn_blocking(move || host.load_blocking(&bytes, &origin)).await.map_err(|_| HostError::Closed)?
    }

    /// A tenant: one policy, its secrets, its directories.
    #[must_use]
    pub fn tenant(&self, policy: Policy) -> Tenant {
        Tenant::new(self.clone(), policy)
    }
}
