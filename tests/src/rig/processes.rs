//! The sidecars of a test, as the system sees them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// A process that carries the mark of a sidecar run and whose home lies in a tenant's directory.
#[derive(Clone, Debug)]
pub struct Sidecar {
    /// Its process id.
    pub pid: i32,
    /// Its command line.
    pub arguments: Vec<String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
}

/// All processes of the sidecars of a tenant, children included.
#[must_use]
pub fn sidecars(tenant: &Path) -> Vec<Sidecar> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(read).filter(|sidecar| belongs(sidecar, tenant)).collect()
}

/// The one process of a tenant's sidecar.
///
/// # Panics
/// When there is none, or more.
#[must_use]
pub fn sidecar(tenant: &Path) -> Sidecar {
    let mut all = sidecars(tenant);
    assert_eq!(all.len(), 1, "one process runs: {all:#?}");
    all.remove(0)
}

/// The processes that carry a variable with this value.
#[must_use]
pub fn marked(variable: &str, value: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let carries = |process: &Sidecar| process.environment.get(variable).is_some_and(|have| have == value);
    pids.filter_map(read).filter(carries).map(|process| process.pid).collect()
}

/// Waits until none is left; those that are when it takes too long.
pub async fn all_gone(tenant: &Path, patience: Duration) -> Result<(), Vec<Sidecar>> {
    let begin = Instant::now();
    loop {
        let left = sidecars(tenant);
        if left.is_empty() {
            return Ok(());
        }
        if begin.elapsed() > patience {
            return Err(left);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Sidecar {
    /// Sends it a signal by name, such as `KILL`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        // The shell's own `kill`: a program of that name is not on every machine.
        let status = std::process::Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid)]).status();
        assert!(status.expect("a shell").success(), "cannot signal {}", self.pid);
    }
}

fn belongs(sidecar: &Sidecar, tenant: &Path) -> bool {
    let home = sidecar.environment.get("COPILOT_HOME").map(Path::new);
    sidecar.environment.contains_key("LLMP_SIDECAR_RUN") && home.is_some_and(|home| home.starts_with(tenant))
}

/// A process that has gone, or is another user's, is nobody's sidecar.
fn read(pid: i32) -> Option<Sidecar> {
    let list = |name: &str| -> Option<Vec<String>> {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).ok()?;
        let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        Some(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    };
    let pair = |variable: String| variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = list("environ")?.into_iter().filter_map(pair).collect();
    Some(Sidecar { pid, arguments: list("cmdline")?, environment })
}
