//! H10: no descriptors left. Alone in its binary, since it takes them from the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests, where clippy does not see that they are

mod support;

use std::fs::File;
use std::time::Duration;

use llm_provider_process::{Child, SpawnError};
use support::{children, descriptors, eventually, shell};

#[tokio::test]
async fn h10_running_out_of_descriptors_is_told_and_leaves_nothing() {
    let first = Child::spawn(shell("exit 0")).await.unwrap();
    first.child.wait().await;
    drop(first);
    tokio::time::sleep(Duration::from_millis(300)).await; // the thread closes the first one's last descriptor
    let baseline = descriptors();
    let narrow = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &narrow) }, 0);
    // Every number of free descriptors fails at another step.
    for free in 0..20 {
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }
        hoard.truncate(hoard.len().saturating_sub(free));
        match Child::spawn(shell("exec sleep 1000")).await {
            Ok(running) => drop(running),
            Err(error) => {
                assert!(free < 19, "{error}");
                let told = error.is_transient() || matches!(error, SpawnError::Io { .. });
                assert!(told, "with {free} free: {error}");
            }
        }
        drop(hoard);
        assert!(eventually(Duration::from_secs(5), || children().count() == 0), "with {free} free");
        assert!(eventually(Duration::from_secs(5), || descriptors() == baseline), "with {free} free");
    }
    assert!(Child::spawn(shell("exit 0")).await.unwrap().child.wait().await.success(), "recovered");
}
