//! Compiling in a process of its own. A compiler takes time and memory as the code wants it that it is given, and nothing
//! inside a process can end it; so a host that loads strangers' plugins lets a worker do it, with a deadline and a bound on
//! memory, without a network, and with one directory to write to.
//!
//! The worker fills the cache of compiled plugins, and the host finds the plugin there. Compiled code never travels through
//! a pipe: to take it from there the host would have to trust it, and the cache's directory it trusts already.

mod worker;

use crate::error::{HostError, one_line};
use crate::limits::Limits;
use llm_provider_process::{Child, FileAccess, Grants, NetworkAccess, Running, Spec, network_isolation};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime::Engine;
pub use worker::compile_worker;

/// The program that compiles plugins: any that calls [`compile_worker`] and was built with this very crate. `llmp
/// compile-worker` is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileWorker {
    program: PathBuf,
    args: Vec<OsString>,
}

/// What a worker is told, as the first line of its input. The component follows.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    cache: PathBuf,
    /// What compiled code depends on besides its source; a worker of another build would fill the cache for nobody.
    engine: u64,
    memory_bytes: usize,
    table_elements: usize,
    stack_bytes: usize,
}

/// What a worker answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// It is in the cache.
    Kept,
    /// The component cannot be compiled.
    Refused(String),
    /// The worker could not do its work.
    Failed(String),
}

/// Bytes of a worker's answer: a sentence.
const ANSWER_BYTES: u64 = 64 << 10;

/// What compiled code of this engine depends on besides its source, as a number.
fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

impl CompileWorker {
    /// The program, as an absolute path.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Has a component compiled into the cache.
    ///
    /// # Cancel safety
    /// The worker is killed.
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        limits: &Limits,
        cache: &Path,
        component: &[u8],
        origin: &str,
    ) -> Result<(), HostError> {
        let job = Job {
            cache: cache.to_owned(),
            engine: compatibility(engine),
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            stack_bytes: limits.stack_bytes,
        };
        let failed = |reason: String| HostError::Compile { origin: origin.to_owned(), reason };
        let work = async {
            let running = Child::spawn(self.spec(limits, cache)).await.map_err(|error| failed(one_line(error)))?;
            converse(running, &job, component).await.map_err(failed)
        };
        let deadline = limits.compile_deadline;
        let answer = tokio::time::timeout(deadline, work).await;
        match answer.map_err(|_| failed(format!("it was not done within {deadline:?}")))?? {
            Answer::Kept => Ok(()),
            Answer::Failed(reason) => Err(failed(reason)),
            Answer::Refused(reason) => Err(HostError::not_compiled(origin, &reason)),
        }
    }

    fn spec(&self, limits: &Limits, cache: &Path) -> Spec {
        let grants = Grants { readable: vec![self.program.clone()], writable: vec![cache.to_owned()] };
        let mut spec = Spec::new(&self.program, cache).files(FileAccess::Only(grants));
        spec.args.clone_from(&self.args);
        spec.limits.data_bytes = Some(limits.compile_bytes);
        if network_isolation().is_ok() {
            spec = spec.network(NetworkAccess::None);
        }
        spec
    }
}

/// Hands the job over and takes the answer. What a worker that dies has said on standard error is the reason.
async fn converse(running: Running, job: &Job, component: &[u8]) -> Result<Answer, String> {
    let Running { mut stdin, stdout, child, .. } = running;
    let mut head = serde_json::to_vec(job).map_err(one_line)?;
    head.push(b'\n');
    let told = async {
        stdin.write_all(&head).await?;
        stdin.write_all(component).await?;
        stdin.shutdown().await
    };
    let mut answer = Vec::new();
    // A worker that dies breaks the pipes; how it ended says more.
    let written = told.await;
    let read = stdout.take(ANSWER_BYTES).read_to_end(&mut answer).await;
    let exit = child.wait().await;
    if let Ok(answer) = serde_json::from_slice(&answer) {
        return Ok(answer);
    }
    if let Err(error) = written.and(read.map(|_| ())) {
        tracing::debug!(%error, "a compile worker broke off");
    }
    let last = child.stderr_tail();
    let last = last.trim_end().lines().last().unwrap_or_default();
    Err(if exit.success() {
        "the worker gave no answer that could be read".to_owned()
    } else {
        one_line(format!("the worker ended with {exit}: {last}"))
    })
}
