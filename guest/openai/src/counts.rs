//! What an answer has cost, from the two shapes in which services tell it.

use llm_provider_guest::types::Usage;
use serde_json::Value;

/// The `usage` of chat completions.
pub(crate) fn of_chat(usage: &Value) -> Usage {
    let mut cost = Usage {
        input_tokens: count(usage, "/prompt_tokens"),
        output_tokens: count(usage, "/completion_tokens"),
        reasoning_tokens: count(usage, "/completion_tokens_details/reasoning_tokens"),
        cache_read_tokens: count(usage, "/prompt_tokens_details/cached_tokens"),
        ..one_call(usage)
    };
    if cost.cache_read_tokens == 0 {
        // DeepSeek's name for it.
        cost.cache_read_tokens = count(usage, "/prompt_cache_hit_tokens");
    }
    cost.cache_write_tokens = count(usage, "/prompt_tokens_details/cache_write_tokens");
    cost
}

/// The `usage` of Responses.
pub(crate) fn of_responses(usage: &Value) -> Usage {
    Usage {
        input_tokens: count(usage, "/input_tokens"),
        output_tokens: count(usage, "/output_tokens"),
        reasoning_tokens: count(usage, "/output_tokens_details/reasoning_tokens"),
        cache_read_tokens: count(usage, "/input_tokens_details/cached_tokens"),
        ..one_call(usage)
    }
}

/// One call, with the cost in the unit of services that sell others' models (OpenRouter: credits).
fn one_call(usage: &Value) -> Usage {
    let cost = usage.get("cost").and_then(Value::as_f64).filter(|cost| *cost >= 0.0);
    Usage { model_calls: 1, premium_requests: cost.unwrap_or(0.0), ..Usage::default() }
}

fn count(usage: &Value, path: &str) -> u64 {
    usage.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}
