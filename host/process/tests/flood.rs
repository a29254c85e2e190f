//! P12: a flood on standard error. Alone in its binary, since it looks at the memory of the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests, where clippy does not see that they are

mod support;

use std::time::Duration;

use llm_provider_process::{Child, STDERR_RING};
use support::shell;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_a_flood_is_drained_and_forgotten() {
    let script = "echo up; read go; yes 'some line of noise' | head -c 1073741824 >&2; echo the end >&2; echo done";
    let mut running = Child::spawn(shell(script)).await.unwrap();
    let mut up = [0; 3];
    running.stdout.read_exact(&mut up).await.unwrap();
    let before = resident();
    running.stdin.write_all(b"go\n").await.unwrap();
    let mut rest = String::new();
    let read = running.stdout.read_to_string(&mut rest);
    tokio::time::timeout(Duration::from_secs(120), read).await.unwrap().unwrap();
    assert_eq!(rest, "done\n");
    assert!(running.child.wait().await.success());
    let grown = resident().saturating_sub(before);
    assert!(grown <= 1024, "grew by {grown} KiB");
    let tail = running.child.stderr_tail();
    assert!(tail.starts_with("some line of noise\n") && tail.ends_with("the end\n"));
    assert!(tail.len() <= STDERR_RING && tail.len() > STDERR_RING - 100, "{}", tail.len());
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
