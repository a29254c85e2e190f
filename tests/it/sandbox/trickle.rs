//! A sidecar whose output comes a byte at a time.

use crate::sandbox::tape::Tape;
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::wit::provider::Input;
use llm_provider_host::{TurnRequest, user_message};
use llmp_model_server::Script;
use llmp_tests::fake_sidecar::FakeSidecar;
use llmp_tests::rig::{Rig, Wire, read};
use serde_json::json;
use std::time::{Duration, Instant};

/// A frame that is announced and then trickles, for as long as somebody listens.
const TRICKLE: &str = "printf 'Content-Length: 100000\\r\\n\\r\\n'; while printf x; do sleep 0.02; done";

/// P07: the deadline of what is waited for counts, not that of the next byte; and nobody is busy meanwhile: the plugin is
/// called once for each piece that came, and for its timers.
#[tokio::test(flavor = "multi_thread")]
async fn p07_a_trickle_keeps_nobody_busy_and_no_turn_alive() {
    let sidecar = FakeSidecar { program: "/bin/sh".into(), args: vec!["-c".into(), TRICKLE.into()] };
    let more = json!({"connect-timeout-ms": 2_000});
    let rig = Rig::with(Script::echo(), sidecar, Wire::Completions, more).await;
    let tape = Tape::default();
    let instance = rig.instance.clone().observed(tape.clone());
    let begin = Instant::now();
    let session = instance.session();
    let seen = read(session.turn(TurnRequest::new(vec![user_message("hello")])).await.expect("started")).await;
    let took = begin.elapsed();
    assert_eq!(seen.failure().kind, ErrorKind::Timeout, "{:?}", seen.error);
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(20), "{took:?}");
    let (pieces, timers) = (
        tape.count(|input| matches!(input, Input::SidecarOutput(_))),
        tape.count(|input| matches!(input, Input::TimerFired(_))),
    );
    assert!(pieces > 0 && pieces <= 1_100, "a piece each 20 ms: {pieces}");
    assert!(timers <= 3, "the handshake's deadline, and little else: {timers}");
    assert_eq!(rig.model.seen(), 0);
}
