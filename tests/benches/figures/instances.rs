//! What an instance costs: time to make one, memory to keep it, time to load the plugin from the cache.

use crate::driver::CONFIG;
use crate::{Memory, best, figure, micros, millis, timed};
use llm_provider_host::{Host, HostConfig, Plugin};

pub(crate) fn run(short: bool) {
    let (count, runs) = if short { (20, 1) } else { (500, 7) };
    let cache = tempfile::tempdir().expect("a directory");
    let load = || -> Plugin {
        let host = Host::new(HostConfig { cache_dir: Some(cache.path().into()), ..HostConfig::default() });
        host.expect("a host").load_blocking(llm_provider_bundle::COPILOT, "copilot").expect("the plugin")
    };
    let (cold, plugin) = timed(load);
    let host = plugin.host().clone();
    let warm = best(runs, || timed(|| host.load_blocking(llm_provider_bundle::COPILOT, "copilot")).0);
    let make = || plugin.sandbox(CONFIG, Vec::new(), 7).expect("a sandbox");
    drop(make());
    let made = best(runs, || timed(|| (0..50).for_each(|_| drop(make()))).0 / 50);
    figure("instantiate and configure", &micros(made), "<= 100 us");
    let before = Memory::now();
    let kept: Vec<_> = (0..count).map(|_| make()).collect();
    before.each(kept.len()).figures("resident memory of an idle instance");
    figure("load the plugin from the cache of compiled plugins", &millis(warm), "<= 5 ms");
    figure("  compile it, the first time", &millis(cold), "");
}
