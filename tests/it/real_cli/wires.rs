//! The three wires between the CLI and a model.

use llm_provider_host::wit::types::ThinkingBlock;
use llm_provider_host::{Block, Usage as Sum};
use llmp_model_server::{Dialect, Reply, Role, Script, Usage};
use llmp_tests::rig::{CANARY_KEY, Rig, Wire};
use serde_json::json;

const USAGE: Usage = Usage { input: 101, output: 17, cached: 40, cache_write: 5, reasoning: 9 };

fn thoughtful() -> Reply {
    Reply::new().reasoning(["hm, ", "let me ", "see"]).and_deltas(["It ", "is ", "42."]).usage(USAGE)
}

/// Three turns over a wire: thinking and text apart, usage summed, everything sent once.
async fn three_turns(name: &str, wire: Wire, dialect: Dialect, usage: Sum) {
    let Some(rig) = Rig::real_with(name, Script::new(thoughtful()), wire, json!({})).await else { return };
    let session = rig.instance.session();
    for turn in 1..=3 {
        let seen = rig.send(&session, &format!("question {turn}")).await;
        assert_eq!((seen.thinking.as_str(), seen.text.as_str()), ("hm, let me see", "It is 42."), "{:?}", seen.error);
        assert!(seen.count("thinking-delta") > 1 && seen.count("text-delta") > 1, "it streams: {:#?}", seen.events);
        let [Block::Thinking(ThinkingBlock { text: thinking, .. }), Block::Text(text)] = &seen.blocks()[..] else {
            panic!("{:#?}", seen.blocks());
        };
        assert_eq!((thinking.as_str(), text.text.as_str()), ("hm, let me see", "It is 42."));
        assert_eq!(seen.answered().usage, usage);
        assert!(seen.notices().is_empty(), "{:?}", seen.notices());
    }
    let requests = rig.model.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.dialect == dialect && request.wants_stream()));
    let answer = || (Role::Assistant, "It is 42.".to_owned());
    let asked = |turn: u32| (Role::User, format!("question {turn}"));
    assert_eq!(requests[2].dialogue(), [asked(1), answer(), asked(2), answer(), asked(3)]);
    let key = if wire == Wire::Anthropic { "x-api-key" } else { "authorization" };
    assert!(requests[0].header(key).is_some_and(|value| value.ends_with(CANARY_KEY)));
}

fn sum(reasoning_tokens: u64, cache_write_tokens: u64) -> Sum {
    Sum {
        model_calls: 1,
        input_tokens: 101,
        output_tokens: 17,
        reasoning_tokens,
        cache_read_tokens: 40,
        cache_write_tokens,
        premium_requests: 0.0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chat_completions() {
    three_turns("chat_completions", Wire::Completions, Dialect::ChatCompletions, sum(9, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn responses() {
    three_turns("responses", Wire::Responses, Dialect::Responses, sum(9, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_messages() {
    three_turns("anthropic_messages", Wire::Anthropic, Dialect::Anthropic, sum(0, 5)).await;
}
