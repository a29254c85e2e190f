//! The worker's side.

use super::{Answer, Job, compatibility};
use crate::engine;
use crate::error::one_line;
use crate::limits::Limits;
use std::io::{self, Read, Write};
use wasmtime::component::Component;

/// What a program is that compiles plugins for a host ([`CompileWorker`](crate::CompileWorker)): reads a job and a component
/// from `input` (standard input), compiles it into the cache, and answers on `output` (standard output).
///
/// # Errors
/// Where it cannot read the job or write the answer. That a component cannot be compiled is an answer.
pub fn compile_worker(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let end = memchr::memchr(b'\n', &bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
    let (head, component) = bytes.split_at(end);
    let job: Job = serde_json::from_slice(head)?;
    let answer = compile(&job, component.get(1..).unwrap_or_default());
    serde_json::to_writer(&mut output, &answer)?;
    output.flush()
}

fn compile(job: &Job, component: &[u8]) -> Answer {
    let limits = Limits {
        instances: 1, // nothing is run here
        memory_bytes: job.memory_bytes,
        table_elements: job.table_elements,
        stack_bytes: job.stack_bytes,
        ..Limits::default()
    };
    let cache = match engine::cache(&job.cache) {
        Ok(cache) => cache,
        Err(error) => return Answer::Failed(one_line(error)),
    };
    let engine = match engine::build(&limits, Some(cache.clone())) {
        Ok(engine) => engine,
        Err(error) => return Answer::Failed(one_line(error)),
    };
    if compatibility(&engine) != job.engine {
        return Answer::Failed("the worker is of another build than the host".to_owned());
    }
    if let Err(error) = Component::new(&engine, component) {
        return Answer::Refused(one_line(format!("{error:#}")));
    }
    // Asked again, the cache must have it: otherwise the host would compile it itself.
    let before = cache.cache_hits();
    match Component::new(&engine, component) {
        Ok(_) if cache.cache_hits() > before => Answer::Kept,
        Ok(_) => Answer::Failed(format!("{} could not keep the compiled plugin", job.cache.display())),
        Err(error) => Answer::Failed(one_line(format!("{error:#}"))),
    }
}
