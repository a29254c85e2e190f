//! The host knows no provider's protocol.

use crate::facts::{self, Kind};
use crate::tree::{Offence, Source, check, none, rust};

/// Words of the wire of the Copilot CLI and of model servers.
const WORDS: [&str; 17] = [
    "assistant.message",
    "chat/completions",
    "content-length:",
    "content_block",
    "finish_reason",
    "generatecontent",
    "handlependingtoolcall",
    "jsonrpc",
    "max_tokens",
    "reasoning_effort",
    "session.abort",
    "session.create",
    "session.event",
    "session.idle",
    "session.send",
    "tool_calls",
    "v1/messages",
];

fn dialect(file: &Source) -> Vec<Offence> {
    let texts = facts::of(file).into_iter().filter(|fact| fact.kind == Kind::Text);
    let word = |text: &str| WORDS.iter().find(|word| text.to_ascii_lowercase().contains(**word));
    texts.filter_map(|fact| word(&fact.text).map(|word| file.offence(fact.line, format!("`{word}`")))).collect()
}

#[test]
fn the_host_speaks_no_dialect() {
    let files: Vec<Source> = rust().into_iter().filter(|file| file.path.starts_with("host/src/")).collect();
    assert!(files.len() > 30, "{}", files.len());
    none(check(&files, dialect));
}

#[test]
fn a_dialect_is_found() {
    let found = |text: &str| dialect(&Source::sample("host/src/x.rs", text)).len();
    assert_eq!(found("const A: &str = \"session.create\"; fn f() { g(\"/v1/chat/completions\"); }"), 2);
    assert_eq!(found("fn f() { json!({ \"jsonrpc\": \"2.0\" }); }"), 1);
    assert_eq!(found("fn f() { g(\"session\"); }"), 0);
}
