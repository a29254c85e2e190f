//! Plugins made for tests, built by this crate's build script, and what it takes to run them.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use llm_provider_host::{Capability, Host, HostConfig, Instance, Limits, Plugin, Policy, Session, Turn, user_message};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::OnceCell;

/// Says what it is told. Built for wasm32-wasip2 with the standard library, as third parties build theirs.
pub const ECHO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/echo-wasip2.wasm"));

/// Breaks its contract on demand. Built for bare wasm, as the reference plugins are.
pub const NAUGHTY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/naughty.wasm"));

/// A host with these limits, which compiles each plugin once for all test runs.
///
/// # Panics
/// When the host cannot be set up.
#[must_use]
pub fn host(limits: Limits) -> Host {
    let cache_dir = Some(crate::real_cli::cache_dir().join("compiled"));
    Host::new(HostConfig { limits, cache_dir, ..HostConfig::default() }).expect("a host")
}

/// The naughty plugin on a host that most tests share.
///
/// # Panics
/// When it cannot be loaded.
pub async fn naughty() -> Plugin {
    static PLUGIN: OnceCell<Plugin> = OnceCell::const_new();
    let load = || async { host(Limits::default()).load(NAUGHTY, "naughty").await.expect("the plugin") };
    PLUGIN.get_or_init(load).await.clone()
}

/// The naughty plugin on a host of its own, with other limits.
///
/// # Panics
/// When it cannot be loaded.
pub async fn naughty_with(change: impl FnOnce(&mut Limits)) -> Plugin {
    let mut limits = Limits::default();
    // A pool of 1,000 instances for each such host would use up the address space of a test process.
    limits.instances = 16;
    change(&mut limits);
    host(limits).load(NAUGHTY, "naughty").await.expect("the plugin")
}

/// A policy without a directory, since nothing is started that needs one.
#[must_use]
pub fn policy() -> Policy {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let mut policy =
        Policy::new("/nonexistent").allow(Capability::Tools).allow(Capability::Sidecar).allow(Capability::Http);
    policy.seed = Some(SEED.fetch_add(1, Ordering::Relaxed));
    policy
}

/// An instance of a plugin.
///
/// # Panics
/// When the policy refuses it.
#[must_use]
pub fn instance(plugin: &Plugin) -> Instance {
    plugin.host().tenant(policy()).instance(plugin, "{}").expect("an instance")
}

/// Asks a session for one thing, once and without a history.
///
/// # Panics
/// When the turn cannot be started.
pub async fn ask(session: &Session, prompt: &str) -> Turn {
    session.turn(crate::rig::once(vec![user_message(prompt)])).await.expect("a turn")
}
