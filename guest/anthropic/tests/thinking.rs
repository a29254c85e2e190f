//! How hard the model is told to think.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_core::classify::Fault;
use llm_provider_core::completion::Ask;
use llm_provider_guest::provider::{Sampling, ToolChoice};
use proptest::prelude::*;
use rig::{body_of, dialect, hi, raw, refused, tool};
use serde_json::{Value, json};

fn with(effort: &str, max_output_tokens: Option<u32>) -> Ask {
    Ask { effort: Some(effort.into()), max_output_tokens, ..hi() }
}

fn enabled(budget: u32) -> Value {
    json!({"type": "enabled", "budget_tokens": budget})
}

#[test]
fn a_budget_comes_on_top_of_the_configured_limit() {
    let dialect = dialect(json!({}));
    let table = [
        ("minimal", json!({"type": "disabled"}), 8_192),
        ("low", enabled(1_024), 9_216),
        ("medium", enabled(4_096), 12_288),
        ("high", enabled(16_384), 24_576),
        ("2000", enabled(2_000), 10_192),
    ];
    for (effort, thinking, max_tokens) in table {
        let body = body_of(&dialect, &with(effort, None));
        assert_eq!((&body["thinking"], &body["max_tokens"]), (&thinking, &json!(max_tokens)), "{effort}");
    }
    assert_eq!(body_of(&dialect, &hi())["thinking"], Value::Null);
    let small = body_of(&rig::dialect(json!({"max-output-tokens": 5})), &with("low", None));
    assert_eq!((&small["thinking"], &small["max_tokens"]), (&enabled(1_024), &json!(1_029)));
    assert_eq!(refused(&dialect, &with("4294967295", None)).fault, Fault::Invalid);
}

#[test]
fn a_limit_of_the_turn_holds_for_thinking_too() {
    let dialect = dialect(json!({}));
    for (effort, limit, budget) in
        [("low", 2_048, 1_024), ("high", 8_000, 4_000), ("high", 64_000, 16_384), ("2000", 2_001, 2_000)]
    {
        let body = body_of(&dialect, &with(effort, Some(limit)));
        assert_eq!((&body["thinking"], &body["max_tokens"]), (&enabled(budget), &json!(limit)), "{effort} {limit}");
    }
    for (effort, limit) in [("low", 2_047), ("high", 100), ("2000", 2_000), ("4294967295", 4_294_967_295)] {
        assert_eq!(refused(&dialect, &with(effort, Some(limit))).fault, Fault::Invalid, "{effort} {limit}");
    }
    for effort in ["", "hard", "1023", "-2000", "4294967296", "2e3"] {
        assert_eq!(refused(&dialect, &with(effort, None)).fault, Fault::Unsupported, "{effort}");
    }
}

#[test]
fn newer_models_are_told_a_level() {
    let dialect = dialect(json!({"thinking": "adaptive"}));
    for level in ["low", "medium", "high", "xhigh"] {
        let body = body_of(&dialect, &with(level, Some(100)));
        assert_eq!((&body["thinking"], &body["max_tokens"]), (&json!({"type": "adaptive"}), &json!(100)));
        assert_eq!(body["output_config"], json!({"effort": level}));
    }
    let both = Ask { output_schema: Some(raw(&json!({}))), ..with("low", None) };
    let want = json!({"effort": "low", "format": {"type": "json_schema", "schema": {}}});
    assert_eq!(body_of(&dialect, &both)["output_config"], want);
    let off = body_of(&dialect, &with("minimal", None));
    assert_eq!((&off["thinking"], &off["output_config"]), (&json!({"type": "disabled"}), &Value::Null));
    assert_eq!(refused(&dialect, &with("2000", None)).fault, Fault::Unsupported);
}

#[test]
fn what_excludes_thinking_is_refused_up_front() {
    let sampling = |temperature, top_k, top_p| Sampling { temperature, top_k, top_p, ..Sampling::default() };
    let offered = |tool_choice| Ask { tools: vec![tool("add")], tool_choice, ..hi() };
    let excluded = [
        Ask { sampling: sampling(Some(1.0), None, None), ..hi() },
        Ask { sampling: sampling(None, Some(5), None), ..hi() },
        Ask { sampling: sampling(None, None, Some(0.9)), ..hi() },
        offered(ToolChoice::Required),
        offered(ToolChoice::Named("add".into())),
    ];
    let fine = [
        Ask { sampling: sampling(None, None, Some(0.95)), ..hi() },
        offered(ToolChoice::Auto),
        offered(ToolChoice::None),
    ];
    let set = |ask: &Ask, effort: Option<&str>| Ask {
        effort: effort.map(Into::into),
        max_output_tokens: None,
        ..ask.clone()
    };
    for mode in ["budget", "adaptive"] {
        let dialect = dialect(json!({"thinking": mode}));
        for ask in &excluded {
            assert_eq!(refused(&dialect, &set(ask, Some("low"))).fault, Fault::Unsupported, "{ask:?}");
            body_of(&dialect, &set(ask, Some("minimal")));
            body_of(&dialect, &set(ask, None));
        }
        fine.iter().for_each(|ask| drop(body_of(&dialect, &set(ask, Some("low")))));
    }
}

proptest! {
    #[test]
    fn a_budget_is_always_less_than_the_limit(
        effort in prop_oneof![Just("low".to_owned()), Just("high".to_owned()), "[0-9]{1,10}"],
        limit in prop::option::of(any::<u32>()),
        default in 1..=u32::MAX,
    ) {
        use llm_provider_core::completion::Dialect;
        let dialect = dialect(json!({"max-output-tokens": default}));
        let Ok(request) = dialect.request(&with(&effort, limit)) else { return Ok(()) };
        let body: Value = serde_json::from_slice(&rig::bytes(&request)).unwrap();
        let (budget, max) = (body["thinking"]["budget_tokens"].as_u64(), body["max_tokens"].as_u64());
        prop_assert!(budget >= Some(1_024) && budget < max, "{:?} {:?}", budget, max);
        prop_assert!(limit.is_none() || max == limit.map(u64::from));
    }
}
