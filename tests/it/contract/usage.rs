//! What a turn has cost, as far as the dialect can say it.

use super::Subject;
use super::shape::well_formed;
use llm_provider_host::{Event, Usage};
use llmp_model_server as model;
use llmp_model_server::{ModelError, Reply, Script};
use llmp_tests::rig::{Flavor, Seen};

contract! {
    http: [
        every_count_is_told,
        an_answer_without_counts,
        a_failed_turn_tells_what_it_has_cost,
    ]
}

const COST: model::Usage = model::Usage { input: 101, output: 17, cached: 40, cache_write: 5, reasoning: 9 };

/// The last sums that were told.
fn told(seen: &Seen) -> Option<Usage> {
    seen.events.iter().rev().find_map(|event| if let Event::Usage(usage) = event { Some(*usage) } else { None })
}

async fn every_count_is_told(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("dear").usage(COST))).await;
    let seen = rig.ask("what does it cost?").await;
    well_formed(&seen);
    // Only Anthropic's says what was written to the cache; this server's says nothing of thinking.
    let (reasoning_tokens, cache_write_tokens) = match subject.flavor() {
        Flavor::Chat | Flavor::Responses => (9, 0),
        Flavor::Anthropic => (0, 5),
        Flavor::Gemini => (9, 0),
    };
    let expected = Usage {
        model_calls: 1,
        input_tokens: 101,
        output_tokens: 17,
        reasoning_tokens,
        cache_read_tokens: 40,
        cache_write_tokens,
        premium_requests: 0.0,
    };
    assert_eq!(seen.answered().usage, expected);
    assert_eq!(told(&seen), Some(expected));
}

async fn an_answer_without_counts(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("free").without_usage())).await;
    let seen = rig.ask("what does it cost?").await;
    well_formed(&seen);
    let usage = seen.answered().usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, seen.text.as_str()), (0, 0, "free"));
}

/// What the service told before it failed was spent.
async fn a_failed_turn_tells_what_it_has_cost(subject: Subject) {
    let failing = Reply::deltas(["half "]).usage(COST).fail_after(1, ModelError::new(500, "lost it"));
    let rig = subject.http(Script::new(failing)).await;
    let seen = rig.ask("what does it cost?").await;
    well_formed(&seen);
    seen.failure();
    let told = told(&seen).map(|usage| (usage.model_calls, usage.input_tokens, usage.cache_read_tokens));
    match subject.flavor() {
        // They tell it at the end, which did not come.
        Flavor::Chat | Flavor::Responses => assert_eq!(told, None),
        Flavor::Anthropic | Flavor::Gemini => assert_eq!(told, Some((1, 101, 40))),
    }
}
