//! A sidecar that is killed in the middle of what it says.

use llm_provider_host::wit::errors::ErrorKind;
use llmp_model_server::Script;
use llmp_tests::fake_cli::delta_text;
use llmp_tests::fake_sidecar::FakeSidecar;
use llmp_tests::rig::Rig;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// Deltas of an answer: some 10 KiB on the wire.
const DELTAS: usize = 20;
/// Kills, of whole lives of the fake CLI.
const KILLS: usize = 50;

/// Its whole life, which is kept in a file: `$0` is the fake CLI, `$1` the file.
const KEPT: &str = "\"$0\" 20 | tee \"$1\"";
/// The first life ends after so many bytes (`$2`), by kill -9 and at the time of the file; the next one is whole.
const KILLED: &str = "if [ -e \"$1\" ]; then exec \"$0\" 20; fi
    \"$0\" 20 | { dd bs=1 count=\"$2\" 2>/dev/null; : > \"$1\"; kill -9 $$; }";

async fn rig(script: &str, file: &Path, bytes: usize) -> Rig {
    let file = file.display().to_string();
    let args = ["-c", script, env!("CARGO_BIN_EXE_fake_cli"), &file, &bytes.to_string()].map(str::to_owned).to_vec();
    Rig::new(Script::echo(), FakeSidecar { program: "/bin/sh".into(), args }).await
}

/// The whole answer.
fn answer() -> String {
    (0..DELTAS).map(delta_text).collect()
}

/// Bytes that the fake CLI writes from its start to the end of a turn.
async fn life() -> usize {
    let place = TempDir::new().expect("a directory");
    let file = place.path().join("life");
    let rig = rig(KEPT, &file, 0).await;
    let seen = rig.ask("q1").await;
    assert_eq!(seen.text, answer(), "{:?}", seen.error);
    usize::try_from(file.metadata().expect("kept").len()).expect("small")
}

/// The time from the kill to the turn's end.
async fn killed_after(bytes: usize) -> Duration {
    let place = TempDir::new().expect("a directory");
    let mark = place.path().join("killed");
    let rig = rig(KILLED, &mark, bytes).await;
    let session = rig.instance.session();
    // That exactly one item is the last one is looked at where a turn is read.
    let seen = rig.send(&session, "q1").await;
    let ended = SystemTime::now();
    let failure = seen.failure();
    assert_eq!(failure.kind, ErrorKind::Sidecar, "after {bytes} bytes: {}", failure.message);
    assert!(failure.message.contains("signal 9"), "after {bytes} bytes: {}", failure.message);
    assert!(answer().starts_with(&seen.text), "after {bytes} bytes: {}", seen.text);
    assert_eq!(failure.output_seen, !seen.text.is_empty(), "after {bytes} bytes: {}", seen.text);
    assert!(failure.request_sent || seen.text.is_empty(), "after {bytes} bytes");
    let killed = mark.metadata().and_then(|file| file.modified()).expect("it was killed");
    let again = rig.send(&session, "q2").await;
    assert_eq!(again.text, answer(), "after {bytes} bytes: {:?}", again.error);
    again.answered();
    rig.instance.close().await;
    ended.duration_since(killed).unwrap_or_default()
}

async fn killed_after_each(offsets: &[usize]) -> Vec<Duration> {
    let mut times = Vec::new();
    for bytes in offsets {
        times.push(Box::pin(killed_after(*bytes)).await);
    }
    times
}

/// Anywhere: in the handshake, between frames, within the head and the body of one. The turn ends once, and the next is
/// answered by a fresh process.
#[tokio::test(flavor = "multi_thread")]
async fn p02_fifty_kills_at_any_byte_are_fifty_ends() {
    let life = Box::pin(life()).await;
    assert!(life > 5_000, "{life}");
    let mut random = 2_u64;
    let offsets: Vec<usize> = (0..KILLS)
        .map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The last frame says that the turn is over, and is longer than what is left out.
            1 + usize::try_from(random >> 33).expect("31 bits") % (life - 100)
        })
        .collect();
    let (half, other) = offsets.split_at(KILLS / 2);
    let (mut times, more) = tokio::join!(killed_after_each(half), killed_after_each(other));
    times.extend(more);
    let longest = times.iter().max().copied().unwrap_or_default();
    println!("figure: of {} kills at any of {life} bytes, the last ended its turn within {longest:?}", times.len());
    assert_eq!(times.len(), KILLS);
    assert!(longest < Duration::from_secs(2), "ten times the promise of 200 ms: {longest:?}");
}
