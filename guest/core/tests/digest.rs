//! Digests: the same conversation gives the same, any other another.

use llm_provider_core::digest::{Chain, Fields, fingerprint};
use llm_provider_guest::types::{Block, Message, Role, TextBlock, ThinkingBlock, Tool, ToolCall, ToolResult};
use proptest::prelude::*;

fn text(text: &str) -> Block {
    Block::Text(TextBlock { text: text.into() })
}

fn thinking(text: &str) -> Block {
    Block::Thinking(ThinkingBlock { text: text.into(), signature: None })
}

fn user(blocks: Vec<Block>) -> Message {
    Message { role: Role::User, blocks }
}

fn assistant(blocks: Vec<Block>) -> Message {
    Message { role: Role::Assistant, blocks }
}

fn chain(messages: &[Message]) -> Chain {
    Chain::default().extend(messages)
}

#[test]
fn thinking_and_the_cut_of_texts_do_not_count() {
    let plain = chain(&[user(vec![text("q")]), assistant(vec![text("ab")])]);
    assert_eq!(plain, chain(&[user(vec![text("q")]), assistant(vec![thinking("t"), text("a"), text("b")])]));
    assert_eq!(plain, chain(&[user(vec![text("q")]), assistant(vec![thinking("t")]), assistant(vec![text("ab")])]));
}

#[test]
fn everything_else_counts() {
    let call = |id: &str, name: &str, arguments: &str| {
        Block::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() })
    };
    let result = |id: &str, content: &str, is_error| {
        Block::ToolResult(ToolResult { call_id: id.into(), content: content.into(), is_error })
    };
    let all = [
        chain(&[]),
        chain(&[user(vec![text("ab")])]),
        chain(&[assistant(vec![text("ab")])]),
        chain(&[user(vec![text("a")]), user(vec![text("b")])]),
        chain(&[user(vec![text("b")]), user(vec![text("a")])]),
        chain(&[assistant(vec![call("a", "b", "c")])]),
        chain(&[assistant(vec![call("ab", "", "c")])]),
        chain(&[assistant(vec![text("x"), call("a", "b", "c")])]),
        chain(&[assistant(vec![call("a", "b", "c"), text("x")])]),
        chain(&[user(vec![result("a", "b", false)])]),
        chain(&[user(vec![result("a", "b", true)])]),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[at + 1..].iter().all(|other| other != one), "{at}");
    }
}

#[test]
fn prefixes_are_the_chains_of_all_beginnings() {
    let messages = [user(vec![text("a")]), assistant(vec![text("b")]), user(vec![text("c")])];
    let prefixes = Chain::prefixes(&messages);
    assert_eq!(prefixes.len(), 4);
    for (length, prefix) in prefixes.iter().enumerate() {
        assert_eq!(*prefix, chain(&messages[..length]));
    }
}

fn tool(name: &str, description: &str, parameters: &str) -> Tool {
    Tool { name: name.into(), description: description.into(), parameters: parameters.into() }
}

#[test]
fn a_tool_set_is_its_names_descriptions_and_schemas_in_any_order() {
    let (a, b) = (tool("a", "b", "{}"), tool("c", "d", "{}"));
    assert_eq!(fingerprint(&[a.clone(), b.clone()]), fingerprint(&[b.clone(), a.clone()]));
    let all = [
        vec![],
        vec![a.clone()],
        vec![a.clone(), b],
        vec![tool("ab", "", "{}")],
        vec![tool("a", "B", "{}")],
        vec![tool("a", "b", "{} ")],
        vec![a.clone(), a],
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[at + 1..].iter().all(|other| fingerprint(other) != fingerprint(one)), "{at}");
    }
}

proptest! {
    #[test]
    fn lists_of_fields_are_told_apart(a in prop::collection::vec("[ab]{0,3}", 0..4), b in prop::collection::vec("[ab]{0,3}", 0..4)) {
        let digest = |fields: &[String]| fields.iter().fold(Fields::new("k"), |all, field| all.field(field.as_bytes())).digest();
        prop_assert_eq!(a == b, digest(&a) == digest(&b));
    }
}
