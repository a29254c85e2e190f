//! Platforms without an implementation: everything compiles, nothing starts.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use crate::cgroup::{CgroupContainment, CgroupError};
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::isolation::IsolationError;
use crate::reach::{FileContainment, FileContainmentError};
use crate::spec::Spec;

pub(crate) type InputPipe = tokio::io::Sink;
pub(crate) type OutputPipe = tokio::io::Empty;

pub(crate) struct Born {
    pub(crate) leader: Arc<Leader>,
    pub(crate) stdin: InputPipe,
    pub(crate) stdout: OutputPipe,
}

/// Never exists.
#[derive(Debug)]
pub(crate) struct Leader {
    never: Infallible,
}

impl Leader {
    pub(crate) fn pid(&self) -> u32 {
        match self.never {}
    }
    pub(crate) fn terminate(&self) {
        match self.never {}
    }
    pub(crate) fn kill(&self) {
        match self.never {}
    }
    pub(crate) fn stderr_tail(&self) -> String {
        match self.never {}
    }
    pub(crate) fn try_wait(&self) -> Option<Exit> {
        match self.never {}
    }
    pub(crate) async fn wait(&self) -> Exit {
        match self.never {}
    }
}

pub(crate) async fn spawn(_spec: Spec) -> Result<Born, SpawnError> {
    Err(SpawnError::Unsupported)
}

pub(crate) fn try_isolation() -> Result<(), IsolationError> {
    Err(IsolationError::Unsupported)
}

pub(crate) fn try_files() -> Result<FileContainment, FileContainmentError> {
    Err(FileContainmentError::Unsupported)
}

pub(crate) fn try_cgroup() -> Result<CgroupContainment, CgroupError> {
    Err(CgroupError::Unsupported)
}

pub(crate) fn open_without_following(_path: &std::path::Path) -> io::Result<std::fs::File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not supported here.
///
/// # Errors
///
/// Always.
pub fn adopt_orphans() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not supported here.
///
/// # Errors
///
/// Always.
pub fn forbid_core_dumps() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
