//! What the tests share: a look at the process table.
#![allow(dead_code)] // each test binary uses a part

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use llm_provider_process::Spec;

/// A shell that runs `script` with a plain PATH.
pub(crate) fn shell(script: &str) -> Spec {
    Spec::new("/bin/sh", "/tmp").arg("-c").arg(script).env("PATH", "/usr/bin:/bin")
}

/// A number of seconds no other test sleeps, to find its sleepers by.
pub(crate) fn token(test: &str) -> String {
    let hash = test.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()) % 1_000_000);
    format!("9{:07}.{:07}", hash, std::process::id())
}

/// Processes that are no zombies and have `token` as a part of an argument.
pub(crate) fn alive(token: &str) -> usize {
    stats().filter(|(pid, state, _)| *state != 'Z' && cmdline(pid).contains(token)).count()
}

/// Processes that are no zombies and whose command line begins so. A shell's copy of itself that has yet to become such a
/// process, and to leave its group, has those words in the middle of its own.
pub(crate) fn running(command: &str) -> usize {
    stats().filter(|(pid, state, _)| *state != 'Z' && cmdline(pid).starts_with(command)).count()
}

/// Copies a program that anybody may run. Another process does it: what is open here for writing is open in every child that
/// another test starts at that moment, and nobody may run it as long as it is (`ETXTBSY`).
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("install").args(["-m", "755"]).args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// Children of this process that are zombies.
pub(crate) fn zombies() -> usize {
    children().filter(|state| *state == 'Z').count()
}

/// The states of this process's children.
pub(crate) fn children() -> impl Iterator<Item = char> {
    let own = std::process::id().to_string();
    stats().filter(move |(_, _, parent)| *parent == own).map(|(_, state, _)| state)
}

/// Open descriptors of this process.
pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits until `condition` holds, for `limit` at most.
pub(crate) fn eventually(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    condition()
}

/// Pid, state, parent of every process. The command's name in between may hold spaces and parentheses.
fn stats() -> impl Iterator<Item = (String, char, String)> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid = entry.file_name().into_string().ok()?;
        pid.parse::<u32>().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut rest = stat.rsplit_once(") ")?.1.split(' ');
        Some((pid, rest.next()?.chars().next()?, rest.next()?.to_owned()))
    })
}

fn cmdline(pid: &str) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&raw).replace('\0', " ")
}
