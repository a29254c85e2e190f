//! The file in which the CLI leaves its usage (`--usage-output-file`): JSON with sums by model.

use llm_provider_guest::types::Usage;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    model_metrics: BTreeMap<String, Metrics>,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(default)]
    requests: Requests,
    #[serde(default)]
    usage: Tokens,
}

#[derive(Default, Deserialize)]
struct Requests {
    count: Option<u32>,
    cost: Option<f64>,
}

/// Any field may be absent or null, as in the events of the server.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

/// The sums over all models since the conversation began; `None` for a text that is no such report.
pub(super) fn usage(text: &str) -> Option<Usage> {
    let report: Report = serde_json::from_str(text).ok()?;
    let mut sum = Usage::default();
    for Metrics { requests, usage } in report.model_metrics.values() {
        sum.model_calls = sum.model_calls.saturating_add(requests.count.unwrap_or(0));
        sum.premium_requests += requests.cost.filter(|cost| cost.is_finite()).unwrap_or(0.0);
        for (to, more) in [
            (&mut sum.input_tokens, usage.input_tokens),
            (&mut sum.output_tokens, usage.output_tokens),
            (&mut sum.reasoning_tokens, usage.reasoning_tokens),
            (&mut sum.cache_read_tokens, usage.cache_read_tokens),
            (&mut sum.cache_write_tokens, usage.cache_write_tokens),
        ] {
            *to = to.saturating_add(more.unwrap_or(0));
        }
    }
    Some(sum)
}

/// What came to the sums since they were `before`.
pub(super) fn since(before: &Usage, now: &Usage) -> Usage {
    Usage {
        model_calls: now.model_calls.saturating_sub(before.model_calls),
        input_tokens: now.input_tokens.saturating_sub(before.input_tokens),
        output_tokens: now.output_tokens.saturating_sub(before.output_tokens),
        reasoning_tokens: now.reasoning_tokens.saturating_sub(before.reasoning_tokens),
        cache_read_tokens: now.cache_read_tokens.saturating_sub(before.cache_read_tokens),
        cache_write_tokens: now.cache_write_tokens.saturating_sub(before.cache_write_tokens),
        premium_requests: (now.premium_requests - before.premium_requests).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B26: a field that is not there costs nothing but itself.
    #[test]
    fn the_sums_are_over_all_models_and_what_is_absent_is_zero() {
        let text = r#"{"totalPremiumRequestCost":1.5,"modelMetrics":{
            "a":{"requests":{"count":2,"cost":1},"usage":{"inputTokens":202,"outputTokens":14,"cacheReadTokens":80,"cacheWriteTokens":0,"reasoningTokens":6}},
            "b":{"requests":{"count":1,"cost":0.5},"usage":{"inputTokens":100,"outputTokens":null}},"c":{}}}"#;
        let sum = usage(text).unwrap();
        assert_eq!((sum.model_calls, sum.input_tokens, sum.output_tokens), (3, 302, 14));
        assert_eq!((sum.cache_read_tokens, sum.reasoning_tokens, sum.premium_requests), (80, 6, 1.5));
        let before = Usage { model_calls: 1, input_tokens: 101, ..Usage::default() };
        assert_eq!((since(&before, &sum).model_calls, since(&before, &sum).input_tokens), (2, 201));
        assert_eq!(since(&sum, &before), Usage::default());
    }

    #[test]
    fn what_is_no_report_is_none() {
        for text in [
            "",
            "{}",
            "[]",
            "Hello there.",
            r#"{"modelMetrics":7}"#,
            r#"{"modelMetrics":{"a":{"usage":{"inputTokens":-1}}}}"#,
        ] {
            assert_eq!(usage(text), None, "{text}");
        }
        assert_eq!(usage(r#"{"modelMetrics":{}}"#), Some(Usage::default()));
    }
}
