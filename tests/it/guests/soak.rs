//! Tenants that come and go, honest and hostile, for a while: nothing grows.
//!
//! A minute as it stands. `.ci/run` runs it for the ten minutes of the table; `LLMP_SOAK_SECONDS=86400 cargo test --release
//! --test it soak` is its 24 hours.

use super::processes::{Sleeper, sleeping};
use super::{tenant, turn};
use crate::measure::{Held, alone};
use llmp_tests::plugins::{ask, naughty};
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h12_soak_nothing_grows() {
    if !alone("guests::soak::h12_soak_nothing_grows") {
        return;
    }
    let seconds = std::env::var("LLMP_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let (begin, length) = (Instant::now(), Duration::from_secs(seconds));
    let place = TempDir::new().expect("a directory");
    let mut first = None;
    let mut rounds = 0_u32;
    while begin.elapsed() < length {
        round(&place).await;
        rounds += 1;
        // What is set up once is there after a fifth of the time.
        if first.is_none() && begin.elapsed() > length / 5 {
            first = Some(Held::settled().await);
        }
    }
    let (first, last) = (first.expect("long enough"), Held::settled().await);
    println!("figure: {rounds} rounds in {seconds} s; {first:?} after a fifth, {last:?} at the end");
    assert!(last.resident < first.resident + (16 << 20), "memory grows: {first:?} {last:?}");
    assert!(last.descriptors <= first.descriptors + 2, "descriptors grow: {first:?} {last:?}");
    assert!(last.threads <= first.threads + 8, "threads grow: {first:?} {last:?}");
    assert!(last.tasks <= first.tasks, "tasks grow: {first:?} {last:?}");
    assert_eq!(last.children, first.children, "children stay: {first:?} {last:?}");
}

/// A tenant's life: turns, faults, cancels, a program.
async fn round(place: &TempDir) {
    let plugin = naughty().await;
    let tenant = tenant(&plugin, |policy| sleeping(policy, Sleeper::in_place(place), 2));
    let instance = tenant.instance(&plugin, "{}").expect("an instance");
    let session = instance.session();
    for prompt in ["hello", "panic", "stream 500", "recurse", "after-usage", "spawn 3 sleeper", "forge 1000", "grow"] {
        drop(turn(&session, prompt).await);
    }
    for prompt in ["hold", "tick", "stream 100000"] {
        let mut turn = ask(&session, prompt).await;
        drop(turn.next().await);
    }
    instance.close().await;
}
