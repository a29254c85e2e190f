//! Plugins that take memory, and that look for what others left in it.

use super::{said, tenant, turn};
use crate::measure::{alone, resident};
use llm_provider_host::{Host, HostConfig, HostError, Instance, Limits, Plugin, PluginFault, Quota, Quotas, TurnError};
use llmp_test_hostile::Row;
use llmp_tests::plugins::{host, hostile, hostile_component, policy};

fn small() -> Host {
    let mut limits = Limits::default();
    (limits.instances, limits.memory_bytes) = (16, 64 << 20);
    host(limits)
}

/// Growth ends at the sum that is granted, to an instance and to a tenant; the host's memory does not grow with it.
pub(super) async fn g03_growth_of_memories_and_tables() {
    if !alone("guests::g03_growth_of_memories_and_tables") {
        return;
    }
    let host = small();
    let plugin = host.load(hostile_component(Row::G03), "hostile").await.expect("the plugin");
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("an instance").session();
    let grow = async || match turn(&session, "grow").await.error {
        Some(TurnError::Fault(PluginFault::Limit { limit: "memory_bytes", configured, .. })) => configured,
        other => panic!("{other:?}"),
    };
    for _ in 0..5 {
        assert_eq!(grow().await, 64 << 20);
    }
    let before = resident();
    for _ in 0..100 {
        grow().await;
    }
    let more = resident().saturating_sub(before);
    println!("figure: 100 plugins that took 64 MiB each cost the host {} KiB in the end", more >> 10);
    assert!(more < 80 << 20, "{more}");

    let mut quotas = Quotas::default();
    quotas.memory_bytes = 16 << 20;
    let poor = host.tenant(policy().quotas(quotas));
    let session = poor.instance(&plugin, "{}").expect("an instance").session();
    match turn(&session, "grow").await.error {
        Some(TurnError::Fault(PluginFault::Quota(exceeded))) => assert_eq!(exceeded.quota, Quota::MemoryBytes),
        other => panic!("{other:?}"),
    }
    assert_eq!(said(&session, "still here").await, "still here");

    let memories = "(memory 256) ".repeat(8);
    let many = super::shapes::component(&format!("(core module {memories} (table 100000000 funcref))"));
    let refused = host.load(many, "many.wasm").await.err().expect("eight memories");
    assert!(!refused.to_string().contains('\n'), "{refused}");
}

/// An instance of a new tenant, as soon as there is a place for it: one that was closed gives its place back a moment later.
async fn started(host: &Host, plugin: &Plugin) -> Instance {
    loop {
        let instance = host.tenant(policy()).instance(plugin, "{}").expect("an instance");
        match instance.start().await {
            Ok(()) => return instance,
            Err(TurnError::Host(HostError::Limit { limit: "instances", .. })) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Memory that a tenant used holds nothing of it when the next one gets it.
pub(super) async fn g15_nothing_of_another_tenant_is_left() {
    const REUSES: usize = 1_000;
    // Two places for instances, so that every one is used again and again.
    let mut limits = Limits::default();
    limits.instances = 2;
    let host = Host::new(HostConfig { limits, ..HostConfig::default() }).expect("a host");
    let plugin = host.load(hostile_component(Row::G15), "hostile").await.expect("the plugin");
    let canary = "a-canary-of-32-bytes-0123456789ab".repeat(2_000);
    let mut found = 0_usize;
    for _ in 0..REUSES {
        let one = started(&host, &plugin).await;
        assert_eq!(said(&one.session(), &canary).await.len(), canary.len());
        one.close().await;
        drop(one);
        let other = started(&host, &plugin).await;
        found += said(&other.session(), "stale 4000000").await.parse::<usize>().expect("a count");
        other.close().await;
    }
    println!("figure: {REUSES} times 4 MB of memory that others had used held {found} bytes of theirs");
    assert_eq!(found, 0);
    let (one, other) = (hostile(Row::G15).await, hostile(Row::G15).await);
    let ids = [tenant(&one, |policy| policy).id(), tenant(&other, |policy| policy).id()];
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0].to_string().len(), 32);
}
