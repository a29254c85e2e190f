//! What the sandbox costs: one delta through it, beside the same core without it.

use crate::driver::{drive, drive_native, frames};
use crate::{best, figure, micros, timed};
use llm_provider_host::wit::provider::SidecarBytes;
use llm_provider_host::{Effect, Host, HostConfig, Input, Plugin};
use std::time::Duration;

pub(crate) fn run(short: bool) {
    let (deltas, runs) = if short { (200, 1) } else { (20_000, 7) };
    let plugin = load();
    for (name, batch, target) in [("one at a time", 1, "<= 5 us"), ("in batches of 64", 64, "")] {
        let native = best(runs, || native(deltas, batch));
        let sandboxed = best(runs, || sandboxed(&plugin, deltas, batch));
        figure(&format!("delta through the sandbox, {name}"), &micros(sandboxed), target);
        figure(&format!("  the same core natively, {name}"), &micros(native), "");
        let ratio = format!("{:.2}x", sandboxed.as_secs_f64() / native.as_secs_f64());
        figure("  ratio", &ratio, if batch == 1 { "<= 3x" } else { "" });
    }
    figure(
        "a call that hands over a frame which concerns nobody",
        &micros(best(runs, || unheard(&plugin, deltas))),
        "",
    );
}

/// The embedded plugin, compiled.
pub(crate) fn load() -> Plugin {
    let host = Host::new(HostConfig::default()).expect("a host");
    host.load_blocking(llm_provider_bundle::COPILOT, "copilot").expect("the plugin")
}

fn batches(stream: &[u8], batch: usize) -> Vec<Vec<u8>> {
    frames(stream).chunks(batch).map(<[_]>::concat).collect()
}

fn output(id: u64, data: Vec<u8>) -> [Input; 1] {
    [Input::SidecarOutput(SidecarBytes { id, data })]
}

/// What the way in and out costs: the same frames, said to be of a sidecar that the plugin does not know.
fn unheard(plugin: &Plugin, deltas: usize) -> Duration {
    let mut driven = drive(plugin, deltas);
    let inputs: Vec<_> = frames(&driven.stream).into_iter().map(|data| output(u64::MAX, data)).collect();
    let mut handle = |input| driven.sandbox.handle(2, input).expect("no fault").len();
    let (time, effects) = timed(|| inputs.iter().map(|input| handle(input)).sum::<usize>());
    assert_eq!(effects, 0);
    time / u32::try_from(inputs.len()).expect("few")
}

fn sandboxed(plugin: &Plugin, deltas: usize, batch: usize) -> Duration {
    let mut driven = drive(plugin, deltas);
    let inputs: Vec<_> = batches(&driven.stream, batch).into_iter().map(|data| output(1, data)).collect();
    let (time, events) = timed(|| {
        let mut events = 0;
        for input in &inputs {
            let effects = driven.sandbox.handle(2, input).expect("no fault");
            events += effects.iter().filter(|effect| matches!(effect, Effect::Event(..))).count();
        }
        events
    });
    assert!(events >= deltas, "{events} events for {deltas} deltas");
    time / u32::try_from(deltas).expect("few")
}

fn native(deltas: usize, batch: usize) -> Duration {
    let (mut native, stream) = drive_native(deltas);
    let inputs = batches(&stream, batch);
    let (time, effects) = timed(|| inputs.iter().map(|data| native.output(data).1).sum::<usize>());
    assert!(effects >= deltas, "{effects} effects for {deltas} deltas");
    time / u32::try_from(deltas).expect("few")
}
