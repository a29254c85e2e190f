//! Short commands, such as `program --version`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use crate::child::{Child, Running};
use crate::error::ProbeError;
use crate::exit::Exit;
use crate::spec::Spec;

/// How long standard output may stay open after the command has ended and its group was killed. Only a process that
/// left the group can hold it; whatever the command itself wrote is in the pipe already.
const STRAGGLER_GRACE: Duration = Duration::from_millis(100);

/// What a short command said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeOutput {
    /// How it ended.
    pub status: Exit,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error, for a person: see [`Child::stderr_tail`].
    pub stderr: String,
}

/// Runs a short command in the directory `/` with exactly the environment `env` and an empty standard input, and
/// returns what it said. At most `max_output` bytes are taken from each of standard output and standard error. The
/// command and its group are gone when this returns.
///
/// # Errors
///
/// [`ProbeError`] where it could not be started, took longer than `limit`, or wrote more than `max_output` bytes to
/// standard output. A non-zero exit code is no error: see [`ProbeOutput::status`].
///
/// # Cancel safety
///
/// When the future is dropped the command and its group are killed.
pub async fn probe(
    program: impl Into<PathBuf>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    limit: Duration,
    max_output: usize,
) -> Result<ProbeOutput, ProbeError> {
    let mut spec = Spec::new(program, "/");
    spec.args = args;
    spec.env = env;
    spec.stderr_ring = max_output;
    match timeout(limit, run(spec, max_output)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ProbeError::Timeout { after: limit }),
    }
}

async fn run(spec: Spec, max_output: usize) -> Result<ProbeOutput, ProbeError> {
    let Running { stdin, mut stdout, child } = Child::spawn(spec).await?;
    drop(stdin);
    let mut output = Vec::new();
    let status = tokio::select! {
        read = read_bounded(&mut stdout, &mut output, max_output) => {
            read?;
            child.wait().await
        }
        status = child.wait() => {
            // The reading half kept its place in `output`: go on with what is left in the pipe.
            if let Ok(read) = timeout(STRAGGLER_GRACE, read_bounded(&mut stdout, &mut output, max_output)).await {
                read?;
            }
            status
        }
    };
    Ok(ProbeOutput { status, stdout: output, stderr: child.stderr_tail() })
}

/// Reads to the end. Cancel safe: what was read is in `output`.
async fn read_bounded(
    from: &mut (impl AsyncRead + Unpin),
    output: &mut Vec<u8>,
    limit: usize,
) -> Result<(), ProbeError> {
    loop {
        let count = from.read_buf(output).await.map_err(|source| ProbeError::Io { source })?;
        if output.len() > limit {
            return Err(ProbeError::TooMuchOutput { limit });
        }
        if count == 0 {
            return Ok(());
        }
    }
}
