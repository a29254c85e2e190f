//! End to end at full speed: a fake CLI's pipe through host, plugin and back to the consumer's stream.

use crate::boundary::load;
use crate::driver::CONFIG;
use crate::{figure, micros};
use llm_provider_host::{Event, Policy, TurnRequest, user_message};
use llmp_tests::fake_cli::delta_text;
use llmp_tests::fake_sidecar::FakeSidecar;
use std::time::{Duration, Instant};

pub(crate) fn run(short: bool) {
    let deltas = if short { 2_000 } else { 100_000 };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rounds = if short { 1 } else { 3 };
    let mut fastest: Option<Figures> = None;
    for _ in 0..rounds {
        let seen = runtime.block_on(stream(deltas, None));
        if fastest.as_ref().is_none_or(|best| seen.wall < best.wall) {
            fastest = Some(seen);
        }
    }
    let Some(seen) = fastest else { return };
    let per = |time: Duration| micros(time / u32::try_from(deltas).expect("few"));
    figure(&format!("{deltas} deltas end to end: wall, each"), &per(seen.wall), "<= 4 us");
    figure("  CPU of this process, each", &per(seen.cpu), "<= 6 us");
    figure("  lost", &(deltas - seen.received).to_string(), "0");
    let slow = runtime.block_on(stream(deltas, Some(Duration::from_millis(1))));
    figure("  lost by a reader that pauses 1 ms every 500 deltas", &(deltas - slow.received).to_string(), "0");
}

struct Figures {
    wall: Duration,
    cpu: Duration,
    received: usize,
}

async fn stream(deltas: usize, pause: Option<Duration>) -> Figures {
    let home = tempfile::tempdir().expect("a directory");
    let plugin = load();
    let program = env!("CARGO_BIN_EXE_fake_cli").into();
    let policy = Policy::new(home.path())
        .allow(llm_provider_host::Capability::Tools)
        .allow(llm_provider_host::Capability::Http)
        .sidecar(FakeSidecar { program, args: vec![deltas.to_string()] });
    let instance = plugin.host().tenant(policy).instance(&plugin, CONFIG).expect("an instance");
    let session = instance.session();
    let mut turn = session.turn(TurnRequest::new(vec![user_message("go")])).await.expect("a turn");
    let (mut received, mut begun) = (0, None);
    while let Some(item) = turn.next().await {
        if let Event::TextDelta(delta) = item.expect("no failure") {
            begun.get_or_insert_with(|| (Instant::now(), cpu()));
            assert_eq!(delta.text, delta_text(received), "in order, none lost, none doubled");
            received += 1;
            if let Some(pause) = pause.filter(|_| received % 500 == 0) {
                tokio::time::sleep(pause).await;
            }
        }
    }
    let (start, cpu_before) = begun.expect("deltas came");
    let figures = Figures { wall: start.elapsed(), cpu: cpu() - cpu_before, received };
    instance.close().await;
    figures
}

/// CPU time of this process so far, all threads.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |text: &str| text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    let sum: u64 =
        threads.map(|task| of(&std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default())).sum();
    Duration::from_nanos(sum.max(of(&text)))
}
