//! Handles that come and go: nothing is left behind, and where they are dropped does not matter.

use super::bystander::{assert_answers, held};
use llm_provider_host::Limits;
use llm_provider_host::{Instance, Session, Turn};
use llmp_tests::plugins::{NAUGHTY, ask, host, instance, naughty, naughty_with};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

async fn no_tasks_are_left() {
    let none = async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let alive = || Handle::current().metrics().num_alive_tasks();
    tokio::time::timeout(Duration::from_secs(20), none).await.unwrap_or_else(|_| panic!("{} tasks are left", alive()));
}

/// Bytes of memory this process holds, where the platform says so.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    status.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_instances_leave_nothing() {
    let mut limits = Limits::default();
    limits.instances = 300;
    let plugin = host(limits).load(NAUGHTY, "naughty").await.expect("a plugin");
    let (before, begin) = (resident(), Instant::now());
    let mut open = Vec::new();
    for _ in 0..300 {
        open.push(held(&plugin).await);
    }
    let (each, full) = (begin.elapsed() / 300, resident());
    let refused = instance(&plugin).start().await;
    assert!(refused.is_err(), "the 301st has no room");
    let grown = before.zip(full).map(|(before, full)| full.saturating_sub(before) / 300);
    println!("figure: 300 instances with an open turn: {each:?} and {grown:?} bytes each");
    drop(open);
    no_tasks_are_left().await;
    // Their places in the pool are free again: all of them.
    let mut again = Vec::new();
    for _ in 0..300 {
        again.push(held(&plugin).await);
    }
    drop(again);
    no_tasks_are_left().await;
    println!("figure: {before:?} bytes before, {full:?} with 300 instances, {:?} after 600", resident());
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_leave_nothing() {
    let plugin = naughty_with(|limits| limits.instances = 2).await;
    let instance = instance(&plugin);
    let session = instance.session();
    for _ in 0..100 {
        let seen = llmp_tests::rig::read(ask(&session, "panic").await).await;
        assert!(seen.error.is_some());
    }
    assert_answers(&session).await;
    drop((session, instance));
    no_tasks_are_left().await;
}

fn open(runtime: &Runtime) -> (Instance, Session, Turn) {
    runtime.block_on(async { held(&naughty().await).await })
}

#[test]
fn handles_can_be_dropped_outside_a_runtime() {
    let runtime = runtime();
    for order in 0..3 {
        let (instance, session, turn) = open(&runtime);
        match order {
            0 => drop((turn, session, instance)),
            1 => drop((instance, session, turn)),
            _ => std::thread::spawn(move || drop((session, turn, instance))).join().expect("no panic"),
        }
    }
    runtime.block_on(no_tasks_are_left());
}

#[test]
fn handles_can_be_dropped_after_their_runtime() {
    let runtime = runtime();
    let (instance, session, turn) = open(&runtime);
    let canceller = turn.canceller();
    drop(runtime);
    canceller.cancel();
    drop((turn, session, instance));
}

#[test]
fn an_instance_outlives_a_runtime_and_works_on_the_next() {
    let first = runtime();
    let (instance, session, turn) = open(&first);
    drop(first);
    let second = runtime();
    second.block_on(async {
        let seen = llmp_tests::rig::read(turn).await;
        assert!(seen.error.is_some(), "its turn ended with its runtime");
        assert_answers(&session).await;
        instance.close().await;
    });
}

/// A call that computes outlives its host for as long as its budget, and not for ever: nothing else would end it, and the
/// runtime's end waits for it.
#[test]
fn a_runtime_ends_though_a_plugin_loops_whose_host_is_gone() {
    let (told, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = runtime();
        let turns: Vec<Turn> = runtime.block_on(async {
            let plugin = naughty_with(|_| ()).await;
            let mut turns = Vec::new();
            // More than there are cores: some wait in their middle, or for a core.
            for _ in 0..8 {
                turns.push(ask(&instance(&plugin).session(), "spin").await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            turns
        });
        drop(turns);
        drop(runtime);
        told.send(()).expect("the test waits");
    });
    ended.recv_timeout(Duration::from_secs(60)).expect("the runtime ends");
}
