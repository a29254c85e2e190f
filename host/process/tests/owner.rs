//! P09: what becomes of children when their owner is killed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests, where clippy does not see that they are

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use llm_provider_process::Child;
use support::{alive, eventually, shell, token};

/// Set in the process that plays the owner: the token of its sleepers.
const ROLE: &str = "LLM_PROVIDER_TEST_OWNER";

/// Not a test of its own: the owner, when this binary is run again by the tests below.
#[tokio::test]
async fn owner() {
    let Ok(token) = std::env::var(ROLE) else { return };
    let mut children = Vec::new();
    for _ in 0..3 {
        let script = format!("trap '' TERM HUP; sleep {token} & (sleep {token} & sleep {token}) & echo up; wait");
        children.push(Child::spawn(shell(&script)).await.unwrap());
    }
    assert!(eventually(Duration::from_secs(10), || alive(&token) >= 12));
    println!("ready");
    std::future::pending::<()>().await;
}

fn start_owner(token: &str) -> std::process::Child {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["owner", "--exact", "--nocapture"])
        .env(ROLE, token)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("ready")));
    assert!(alive(token) >= 12);
    owner
}

#[test]
fn p09_a_killed_owner_leaves_nobody_alive() {
    let token = token("p09");
    for _ in 0..10 {
        let mut owner = start_owner(&token);
        owner.kill().unwrap();
        owner.wait().unwrap();
        assert!(eventually(Duration::from_secs(2), || alive(&token) == 0), "{} alive", alive(&token));
    }
}

#[test]
fn p09_nor_does_an_owner_that_is_terminated() {
    let token = token("p09 term");
    let mut owner = start_owner(&token);
    let pid = i32::try_from(owner.id()).unwrap();
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    owner.wait().unwrap();
    assert!(eventually(Duration::from_secs(2), || alive(&token) == 0));
}
