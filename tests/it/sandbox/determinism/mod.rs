//! The same inputs give the same effects: in a second sandbox, and in the same state machine compiled natively.
//!
//! The inputs are those of recorded conversations with the real CLI, played against the Copilot plugin.

mod native;
mod player;

use llm_provider_host::wit::provider::Input;
use llm_provider_host::{Effect, Event, Sandbox};
use llmp_tests::rig;
use player::{Call, Machine, play};
use std::path::PathBuf;

const CONFIG: &str = r#"{"egress":"direct","model":"stub-model","auth":{"type":"byok","provider":"openai","base-url":"http://127.0.0.1:9/v1","api-key":{"secret":"key"}}}"#;
const SEED: u64 = 42;

impl Machine for Sandbox {
    fn handle(&mut self, now: u64, inputs: &[Input]) -> Vec<Effect> {
        Sandbox::handle(self, now, inputs).expect("no fault")
    }
}

async fn sandbox(seed: u64) -> Sandbox {
    let info = llm_provider_host::wit::secrets::SecretInfo { name: "key".into(), raw_length: 7, json_length: 8 };
    rig::plugin().await.sandbox(CONFIG, vec![info], seed).expect("a sandbox")
}

/// Turns that were answered.
fn finished(tape: &[Call]) -> usize {
    let is = |effect: &&Effect| matches!(effect, Effect::Event(_, Event::Finished(_)));
    tape.iter().flat_map(|call| &call.effects).filter(is).count()
}

/// All transcripts with a conversation in them.
fn transcripts() -> Vec<PathBuf> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let entries = std::fs::read_dir(directory).expect("transcripts").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    paths.sort();
    assert!(paths.len() > 30, "{}", paths.len());
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_played_again_gives_the_same_effects() {
    let (mut calls, mut effects, mut answers) = (0, 0, 0);
    for path in transcripts() {
        let tape = play(&path, &mut sandbox(SEED).await);
        let mut fresh = sandbox(SEED).await;
        for (at, Call { now, inputs, effects: recorded }) in tape.iter().enumerate() {
            let again = Machine::handle(&mut fresh, *now, inputs);
            assert_eq!(&again, recorded, "{}: call {at}", path.display());
            effects += again.len();
        }
        calls += tape.len();
        answers += finished(&tape);
        println!("{}: {} calls, {} answers", path.display(), tape.len(), finished(&tape));
    }
    println!("figure: {calls} recorded calls with {answers} answers gave the same {effects} effects again");
    assert!(answers >= 40, "the conversations took place: {answers} answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_build_gives_the_effects_of_the_sandbox() {
    let mut compared = 0;
    for path in transcripts() {
        let tape = play(&path, &mut sandbox(SEED).await);
        let mut native = native::Native::new(CONFIG, SEED);
        for (at, Call { now, inputs, effects }) in tape.iter().enumerate() {
            let expected: Vec<String> = effects.iter().map(native::text_of).collect();
            assert_eq!(native.handle(*now, inputs), expected, "{}: call {at}", path.display());
            compared += expected.len();
        }
    }
    println!("figure: {compared} effects of the native build are those of the sandbox");
    assert!(compared > 500, "{compared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_seed_gives_other_names() {
    let path = transcripts().into_iter().find(|path| path.ends_with("02a_byok_one_turn_streaming.jsonl"));
    let path = path.expect("the transcript");
    let (one, two) = (play(&path, &mut sandbox(1).await), play(&path, &mut sandbox(2).await));
    assert_ne!(format!("{one:?}"), format!("{two:?}"));
}
