//! P09: many starts and stops leave nothing behind. Alone in its binary, since it counts what the whole process holds.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests, where clippy does not see that they are

mod support;

use std::time::Duration;

use llm_provider_process::Child;
use support::{children, descriptors, eventually, shell, zombies};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p09_a_thousand_lives_leave_no_zombie_and_no_descriptor() {
    one_life(0).await; // the permanent threads and the runtime's own descriptors
    tokio::time::sleep(Duration::from_millis(300)).await; // the thread closes the first one's last descriptor
    let baseline = descriptors();
    for lives in 0..200 {
        let five = (0..5).map(|n| tokio::spawn(one_life(lives + n)));
        for life in five.collect::<Vec<_>>() {
            life.await.unwrap();
        }
    }
    assert!(eventually(Duration::from_secs(5), || zombies() == 0 && children().count() == 0), "children left");
    assert!(eventually(Duration::from_secs(5), || descriptors() == baseline), "{} of {baseline}", descriptors());
}

/// Ends by itself, is stopped, is killed, or is dropped.
async fn one_life(way: usize) {
    let running = Child::spawn(shell("cat; exit 5")).await.unwrap();
    match way % 4 {
        0 => {
            drop(running.stdin);
            assert_eq!(running.child.wait().await.code, Some(5));
        }
        1 => assert_eq!(running.child.stop(Duration::from_secs(20)).await.code, Some(5)),
        2 => {
            running.child.kill();
            assert_eq!(running.child.wait().await.signal, Some(9));
        }
        _ => drop(running),
    }
}
