//! Many tenants in one process: what an idle one costs, and what each feels when some of the others loop.

use crate::{Memory, figure, millis};
use llm_provider_host::{Event, Host, HostConfig, Instance, Limits, Plugin, Policy, TurnRequest, user_message};
use llmp_tests::fake_sidecar::FakeSidecar;
use llmp_tests::plugins::NAUGHTY;
use std::time::{Duration, Instant};

pub(crate) fn run(short: bool) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let counts: &[usize] = if short { &[20] } else { &[1_000, 10_000] };
    for count in counts {
        runtime.block_on(tenants(*count, if short { 5 } else { 500 }));
    }
    runtime.block_on(sessions(if short { 3 } else { 300 }));
}

fn host(instances: usize) -> Host {
    let mut limits = Limits::default();
    limits.instances = u32::try_from(instances).expect("few");
    Host::new(HostConfig { limits, ..HostConfig::default() }).expect("a host")
}

/// A tenant of its own for each instance.
async fn started(host: &Host, plugin: &Plugin, config: &str, count: usize) -> Vec<Instance> {
    let mut instances = Vec::with_capacity(count);
    for _ in 0..count {
        let policy = Policy::new("/nonexistent")
            .allow(llm_provider_host::Capability::Tools)
            .allow(llm_provider_host::Capability::Http)
            .allow(llm_provider_host::Capability::Sidecar);
        let instance = host.tenant(policy).instance(plugin, config).expect("an instance");
        instance.start().await.expect("it starts");
        instances.push(instance);
    }
    instances
}

async fn tenants(count: usize, turns: usize) {
    let host = host(count + 8);
    let copilot = host.load_blocking(llm_provider_bundle::COPILOT, "copilot").expect("the plugin");
    drop(started(&host, &copilot, crate::driver::CONFIG, 1).await);
    let before = Memory::now();
    let idle = started(&host, &copilot, crate::driver::CONFIG, count).await;
    before.each(idle.len()).figures(&format!("{count} tenants with an idle instance each: memory, each"));
    drop(idle);

    let plugin = host.load_blocking(NAUGHTY, "naughty").expect("the plugin");
    let alone = started(&host, &plugin, "{}", 1).await;
    let quiet = first_events(&alone, turns).await;
    let all = started(&host, &plugin, "{}", count).await;
    let (spinners, honest) = all.split_at((count / 100).max(1));
    let spinning: Vec<_> = spinners.iter().cloned().map(|instance| tokio::spawn(spin(instance))).collect();
    let honest: Vec<Instance> = honest.iter().take(turns).cloned().collect();
    let busy = first_events(&honest, turns).await;
    spinning.iter().for_each(tokio::task::JoinHandle::abort);
    figure("  first event of a turn, one tenant alone, 99 %", &millis(quiet), "");
    let more = millis(busy.saturating_sub(quiet));
    figure(&format!("  added while {} of {count} tenants loop, 99 %", spinners.len()), &more, "<= 5 ms");
}

/// Loops, and begins again whenever it is stopped.
async fn spin(instance: Instance) {
    loop {
        if let Ok(turn) = instance.session().turn(once("spin")).await {
            drop(turn.finish().await);
        }
    }
}

fn once(prompt: &str) -> TurnRequest {
    let mut request = TurnRequest::new(vec![user_message(prompt)]);
    request.retry = llm_provider_host::RetryPolicy::off();
    request
}

/// The time to the first event within which 99 of 100 turns lie, one after the other, each on another instance.
async fn first_events(instances: &[Instance], turns: usize) -> Duration {
    let mut times = Vec::with_capacity(turns);
    for instance in instances.iter().cycle().take(turns) {
        let session = instance.session();
        let begin = Instant::now();
        let mut turn = session.turn(once("hello")).await.expect("a turn");
        assert!(matches!(turn.next().await, Some(Ok(Event::AttemptStarted(_)))));
        times.push(begin.elapsed());
        drop(turn.finish().await);
    }
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// Sessions through create, turn and close, one after the other, on one instance with a fake CLI.
async fn sessions(count: u32) {
    let home = tempfile::tempdir().expect("a directory");
    let plugin = crate::boundary::load();
    let program = env!("CARGO_BIN_EXE_fake_cli").into();
    let policy = Policy::new(home.path())
        .allow(llm_provider_host::Capability::Tools)
        .allow(llm_provider_host::Capability::Http)
        .sidecar(FakeSidecar { program, args: vec!["10".into()] });
    let instance = plugin.host().tenant(policy).instance(&plugin, crate::driver::CONFIG).expect("an instance");
    let cycle = async || {
        let session = instance.session();
        let turn = session.turn(once("go")).await.expect("a turn");
        turn.finish().await.expect("an answer");
    };
    cycle().await;
    let begin = Instant::now();
    for _ in 0..count {
        cycle().await;
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    figure("sessions a second: create, turn of 10 deltas, close", &format!("{rate:.0}"), "");
    instance.close().await;
}
