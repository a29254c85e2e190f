//! Plugins made for tests, built by this crate's build script, and what it takes to run them.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use llm_provider_host::{Capability, Host, HostConfig, Instance, Limits, Plugin, Policy, Session, Turn, user_message};
use llmp_test_hostile::Row;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::OnceCell;

/// Says what it is told. Built for wasm32-wasip2 with the standard library, as third parties build theirs.
pub const ECHO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/echo-wasip2.wasm"));

/// Breaks its contract on demand. Built for bare wasm, as the reference plugins are.
pub const NAUGHTY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/naughty.wasm"));

/// The plugin of a row of the table of threats. None for G08, whose components are refused before they are compiled.
macro_rules! hostile {
    ($($row:ident = $file:literal),+ $(,)?) => {
        fn hostile_bytes(row: Row) -> Option<&'static [u8]> {
            match row {
                Row::G08 => None,
                $(Row::$row => Some(include_bytes!(concat!(env!("OUT_DIR"), "/", $file, ".wasm"))),)+
            }
        }
    };
}

hostile! {
    G01 = "g01",
    G02 = "g02",
    G03 = "g03",
    G04 = "g04",
    G05 = "g05",
    G06 = "g06",
    G07 = "g07",
    G09 = "g09",
    G10 = "g10",
    G11 = "g11",
    G12 = "g12",
    G13 = "g13",
    G14 = "g14",
    G15 = "g15",
    G16 = "g16",
    G17 = "g17",
    G18 = "g18",
    G19 = "g19",
    G20 = "g20",
    G21 = "g21",
    G22 = "g22",
}

/// The component of a row.
///
/// # Panics
/// For G08, which has none: its components are refused before they are compiled.
#[must_use]
pub fn hostile_component(row: Row) -> &'static [u8] {
    hostile_bytes(row).expect("a row with a component")
}

/// The plugin of a row, on a host that most tests share.
///
/// # Panics
/// When it cannot be loaded.
pub async fn hostile(row: Row) -> Plugin {
    let host = naughty().await.host().clone();
    host.load(hostile_component(row), "hostile").await.expect("the plugin")
}

/// The plugin of a row, on a host of its own, with other limits.
///
/// # Panics
/// When it cannot be loaded.
pub async fn hostile_with(row: Row, change: impl FnOnce(&mut Limits)) -> Plugin {
    host(few(change)).load(hostile_component(row), "hostile").await.expect("the plugin")
}

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
    host(few(change)).load(NAUGHTY, "naughty").await.expect("the plugin")
}

/// Changed limits, with few instances: a pool of 1,000 for each such host would use up a test process's address space.
fn few(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    limits.instances = 16;
    change(&mut limits);
    limits
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
