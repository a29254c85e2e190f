//! The order in which a turn's events must come, whatever they say.

use llm_provider_host::Event;
use llm_provider_host::wit::events::BlockKind;
use llm_provider_host::{Block, Usage};
use llmp_tests::rig::Seen;
use std::collections::{BTreeMap, BTreeSet};

/// An attempt's blocks.
#[derive(Default)]
struct Attempt {
    /// Open blocks with their kind and what their deltas say so far.
    open: BTreeMap<u32, (BlockKind, String)>,
    next: u32,
}

/// Asserts that the events of a turn keep the contract: attempts count from 1; blocks count from 0 within an attempt,
/// each begun once, its deltas of its kind and between its beginning and its end, the whole the sum of its deltas; a
/// tool answers a call that was told; sums of usage never fall, and the last is the turn's; nothing is open in the end.
pub(super) fn well_formed(seen: &Seen) {
    let (mut attempts, mut at) = (0, None::<Attempt>);
    let mut calls = BTreeSet::new();
    let mut told = Usage::default();
    for event in &seen.events {
        match event {
            Event::AttemptStarted(attempt) => {
                attempts += 1;
                assert_eq!(attempt.number, attempts, "attempts count from 1");
                at = Some(Attempt::default());
            }
            Event::AttemptAbandoned(_) => assert!(at.take().is_some(), "an attempt was under way"),
            Event::BlockStarted(start) => {
                let attempt = at.as_mut().expect("an attempt begins before its blocks");
                assert_eq!(start.index, attempt.next, "blocks count from 0");
                attempt.next += 1;
                attempt.open.insert(start.index, (start.kind.clone(), String::new()));
            }
            Event::TextDelta(delta) => grow(at.as_mut(), delta.index, &delta.text, "text"),
            Event::ThinkingDelta(delta) => grow(at.as_mut(), delta.index, &delta.text, "thinking"),
            Event::ToolArgumentsDelta(delta) => grow(at.as_mut(), delta.index, &delta.text, "tool-call"),
            Event::BlockFinished(end) => {
                let attempt = at.as_mut().expect("an attempt");
                let (kind, text) = attempt.open.remove(&end.index).expect("the block was open");
                assert_eq!(text, whole(&end.block, &kind), "what was streamed is the whole block");
                if let Block::ToolCall(call) = &end.block {
                    assert!(calls.insert(call.id.clone()), "a call's name is its own: {}", call.id);
                }
            }
            Event::ToolAnswered(result) => assert!(calls.contains(&result.call_id), "the call was told before"),
            Event::Usage(usage) => {
                assert!(usage.output_tokens >= told.output_tokens && usage.model_calls >= told.model_calls);
                told = *usage;
            }
            Event::Finished(finished) => {
                assert!(at.as_ref().is_some_and(|attempt| attempt.open.is_empty()), "nothing is open at the end");
                assert!(told == finished.usage || told == Usage::default(), "{told:?}, {:?}", finished.usage);
            }
            Event::Notice(_) => {}
            Event::Failed(_) => panic!("a failure is the last item, not an event"),
        }
    }
}

fn grow(attempt: Option<&mut Attempt>, index: u32, more: &str, wanted: &str) {
    let (kind, text) = attempt.expect("an attempt").open.get_mut(&index).expect("the block is open");
    assert_eq!(name(kind), wanted, "a delta is of its block's kind");
    assert!(!more.is_empty(), "a delta says something");
    text.push_str(more);
}

fn name(kind: &BlockKind) -> &'static str {
    match kind {
        BlockKind::Text => "text",
        BlockKind::Thinking => "thinking",
        BlockKind::ToolCall(_) => "tool-call",
    }
}

/// What a finished block says; it is what it was announced as.
fn whole(block: &Block, kind: &BlockKind) -> String {
    match (block, kind) {
        (Block::Text(text), BlockKind::Text) => text.text.clone(),
        (Block::Thinking(thinking), BlockKind::Thinking) => thinking.text.clone(),
        (Block::ToolCall(call), BlockKind::ToolCall(head)) => {
            assert_eq!((&call.id, &call.name), (&head.id, &head.name));
            call.arguments.clone()
        }
        other => panic!("a block is what it was announced as: {other:?}"),
    }
}
