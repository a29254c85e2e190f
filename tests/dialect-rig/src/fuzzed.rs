//! Any bytes as a response of a service, cut anywhere: the engine in a dialect never panics, ends the turn once, and says
//! the same whatever the cuts were.

use crate::host::Host;
use crate::say::{header, text, tool_options, user};
use llm_provider_core::completion::{Dialect, Effect};
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::provider::Input;
use llm_provider_guest::types::ToolOwner;
use std::fs;
use std::path::Path;

/// Configurations, the same for fuzzing and for the replay of what it found.
pub mod config {
    /// Of chat completions.
    pub const CHAT: &str = r#"{"base-url":"https://a.example/v1","model":"m"}"#;
    /// Of Responses.
    pub const RESPONSES: &str = r#"{"base-url":"https://a.example/v1","model":"m","api":"responses"}"#;
    /// Of Anthropic's Messages.
    pub const ANTHROPIC: &str = r#"{"base-url":"https://a.example","model":"m"}"#;
    /// Of Gemini.
    pub const GEMINI: &str = r#"{"base-url":"https://a.example","model":"m"}"#;
}

/// Bytes from which on a response is not cut into single ones: that costs the square.
const SMALL: usize = 4_096;
/// Longer than any deadline, in milliseconds.
const LONG: u64 = 1_000_000;

/// What stands before the body in a fuzzer's bytes.
const HEAD: usize = 3;

/// Plays bytes of a fuzzer: how the response is (status, type, end) in the first, where it is cut in the next two.
///
/// # Panics
/// When the engine does not keep to its contract.
pub fn play<D: Dialect>(config: &str, input: &[u8]) {
    let Some((head, body)) = input.split_first_chunk::<HEAD>() else { return };
    let place = |at: u8| usize::from(at) * (body.len() + 1) / 256;
    let (first, second) = (place(head[1]).min(place(head[2])), place(head[1]).max(place(head[2])));
    let whole = effects::<D>(config, head[0], &[body]);
    assert_eq!(whole, effects::<D>(config, head[0], &[&body[..first], &body[first..second], &body[second..]]));
    if body.len() < SMALL {
        assert_eq!(whole, effects::<D>(config, head[0], &body.chunks(1).collect::<Vec<_>>()));
    }
}

/// Plays every file of a corpus; gives how many there are.
///
/// # Panics
/// As [`play`], and when there is no such corpus.
#[must_use]
pub fn replay<D: Dialect>(config: &str, corpus: &str) -> usize {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(corpus);
    let files = fs::read_dir(&corpus).expect("the corpus").flatten();
    files.map(|file| play::<D>(config, &fs::read(file.path()).expect("a file"))).count()
}

/// What a turn gives whose response comes in these parts.
fn effects<D: Dialect>(config: &str, how: u8, parts: &[&[u8]]) -> Vec<Effect> {
    let mut host = Host::<D>::new(config);
    let owner = if how & 1 == 0 { ToolOwner::Return } else { ToolOwner::Callback };
    let turn = host.ask_in(1, vec![user(vec![text("hello")])], tool_options(&["add", "now"], owner));
    let id = host.newest();
    let kind = ["text/event-stream", "text/event-stream", "application/json", "text/html"][usize::from(how >> 1) % 4];
    let status = [200, 200, 200, 200, 204, 400, 429, 503][usize::from(how >> 3) % 8];
    host.head(id, status, vec![header("content-type", kind)]);
    for part in parts {
        if host.monitor.requests.contains(&id) {
            host.chunk(id, part);
        }
    }
    if host.monitor.requests.contains(&id) {
        match how >> 6 {
            0 | 1 => host.end(id),
            2 => host.broken(id, FailureKind::Broken, true),
            // Nothing more comes: time ends it.
            _ => host.pass(LONG),
        }
    }
    finish(&mut host, turn);
    // The alarm follows the parts as they come: an earlier look at the clock is no other answer.
    host.effects.into_iter().filter(|effect| !matches!(effect, Effect::Timer(_))).collect()
}

/// The tools answer, the model's next answer does not come, and the turn ends.
fn finish<D: Dialect>(host: &mut Host<D>, turn: u64) {
    for (_, call) in host.invoked.clone() {
        host.tool_result(turn, &call.id, "seen");
    }
    host.pass(LONG);
    assert!(host.monitor.ended(turn), "a turn has one terminal event");
    host.give(Input::Shutdown);
    assert_eq!(host.monitor.requests.len(), 0, "no request outlives its turn");
}
