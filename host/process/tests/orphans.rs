//! Adopted orphans are reaped. Alone in its binary, since adoption changes the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests, where clippy does not see that they are

mod support;

use std::time::Duration;

use llm_provider_process::{Child, adopt_orphans};
use support::{alive, children, eventually, shell, token};

#[tokio::test]
async fn killed_helpers_do_not_stay_zombies() {
    adopt_orphans().unwrap();
    let token = token("orphans");
    for _ in 0..20 {
        let mut running =
            Child::spawn(shell(&format!("sleep {token} & (sleep {token} &) ; echo; wait"))).await.unwrap();
        tokio::io::AsyncReadExt::read_u8(&mut running.stdout).await.unwrap();
        assert!(eventually(Duration::from_secs(2), || alive(&token) == 3));
        running.child.kill();
        running.child.wait().await;
        assert!(eventually(Duration::from_secs(2), || children().count() == 0), "{:?}", children().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn p10_nor_do_marked_daemons() {
    adopt_orphans().unwrap();
    let token = token("adopted daemon");
    let script = format!("(setsid sleep {token} >/dev/null 2>&1 </dev/null &) ; sleep 0.3; exit 0");
    let running = Child::spawn(shell(&script).env("HOME", &token).mark("HOME")).await.unwrap();
    running.child.wait().await;
    assert!(eventually(Duration::from_secs(2), || alive(&token) == 0));
}
