//! Events as lines of JSON, for `--json`. The names are those of the world's WIT.

use llm_provider_host::wit::errors::{ErrorKind, ErrorScope, Verdict};
use llm_provider_host::wit::events::{BlockKind, NoticeKind};
use llm_provider_host::{Block, Event, FinishReason, ProviderError, TurnError, Usage};
use serde_json::{Value, json};

/// A line for an item of a turn.
pub(crate) fn line(item: &Result<Event, TurnError>) -> String {
    match item {
        Ok(event) => of_event(event).to_string(),
        Err(error) => json!({ "type": "failed", "error": of_error(error) }).to_string(),
    }
}

fn of_event(event: &Event) -> Value {
    match event {
        Event::AttemptStarted(attempt) => {
            json!({ "type": "attempt-started", "number": attempt.number, "model": attempt.model })
        }
        Event::BlockStarted(block) => {
            let mut value = json!({ "type": "block-started", "index": block.index, "kind": block_kind(&block.kind) });
            if let (BlockKind::ToolCall(call), Some(fields)) = (&block.kind, value.as_object_mut()) {
                fields.insert("id".into(), call.id.clone().into());
                fields.insert("name".into(), call.name.clone().into());
            }
            value
        }
        Event::TextDelta(delta) => json!({ "type": "text-delta", "index": delta.index, "text": delta.text }),
        Event::ThinkingDelta(delta) => json!({ "type": "thinking-delta", "index": delta.index, "text": delta.text }),
        Event::ToolArgumentsDelta(delta) => {
            json!({ "type": "tool-arguments-delta", "index": delta.index, "text": delta.text })
        }
        Event::BlockFinished(end) => {
            json!({ "type": "block-finished", "index": end.index, "block": of_block(&end.block) })
        }
        Event::ToolAnswered(result) => {
            json!({ "type": "tool-answered", "result": of_block(&Block::ToolResult(result.clone())) })
        }
        Event::Usage(usage) => json!({ "type": "usage", "usage": of_usage(usage) }),
        Event::Notice(notice) => {
            json!({ "type": "notice", "kind": notice_kind(&notice.kind), "message": notice.message })
        }
        Event::AttemptAbandoned(reason) => json!({ "type": "attempt-abandoned", "reason": reason }),
        Event::Finished(finished) => json!({
            "type": "finished",
            "reason": finish_reason(&finished.reason),
            "usage": of_usage(&finished.usage),
            "model": finished.model,
            "provider-request-id": finished.provider_request_id,
        }),
        Event::Failed(failed) => json!({ "type": "failed", "error": of_provider_error(&failed.error) }),
    }
}

fn block_kind(kind: &BlockKind) -> &'static str {
    match kind {
        BlockKind::Text => "text",
        BlockKind::Thinking => "thinking",
        BlockKind::ToolCall(_) => "tool-call",
    }
}

fn of_block(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({ "type": "text", "text": text.text }),
        Block::Thinking(thinking) => {
            json!({ "type": "thinking", "text": thinking.text, "signature": thinking.signature })
        }
        Block::Image(image) => json!({ "type": "image", "media-type": image.media_type }),
        Block::ToolCall(call) => {
            json!({ "type": "tool-call", "id": call.id, "name": call.name, "arguments": call.arguments })
        }
        Block::ToolResult(result) => json!({
            "type": "tool-result",
            "call-id": result.call_id,
            "content": result.content,
            "is-error": result.is_error,
        }),
    }
}

/// The sums as JSON.
pub(crate) fn of_usage(usage: &Usage) -> Value {
    json!({
        "model-calls": usage.model_calls,
        "input-tokens": usage.input_tokens,
        "output-tokens": usage.output_tokens,
        "reasoning-tokens": usage.reasoning_tokens,
        "cache-read-tokens": usage.cache_read_tokens,
        "cache-write-tokens": usage.cache_write_tokens,
        "premium-requests": usage.premium_requests,
    })
}

fn of_error(error: &TurnError) -> Value {
    match error {
        TurnError::Provider(error) => of_provider_error(error),
        TurnError::Fault(fault) => json!({ "source": "plugin-fault", "message": fault.to_string() }),
        other => json!({ "source": "host", "message": other.to_string() }),
    }
}

fn of_provider_error(error: &ProviderError) -> Value {
    json!({
        "source": "provider",
        "kind": error_kind(error.kind),
        "message": error.message,
        "hint": error.hint,
        "scope": error_scope(error.scope),
        "http-status": error.http_status,
        "provider-code": error.provider_code,
        "provider-request-id": error.provider_request_id,
        "retry-after-ms": error.retry_after,
        "request-sent": error.request_sent,
        "output-seen": error.output_seen,
        "tools-ran": error.tools_ran,
        "verdict": verdict(error.verdict),
    })
}

fn error_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Authentication => "authentication",
        ErrorKind::Permission => "permission",
        ErrorKind::Quota => "quota",
        ErrorKind::RateLimit => "rate-limit",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::ContextLength => "context-length",
        ErrorKind::ContentFilter => "content-filter",
        ErrorKind::InvalidRequest => "invalid-request",
        ErrorKind::NotFound => "not-found",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Transport => "transport",
        ErrorKind::Sidecar => "sidecar",
        ErrorKind::Protocol => "protocol",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::Internal => "internal",
    }
}

fn error_scope(scope: ErrorScope) -> &'static str {
    match scope {
        ErrorScope::Request => "request",
        ErrorScope::Session => "session",
        ErrorScope::Model => "model",
        ErrorScope::User => "user",
        ErrorScope::Org => "org",
        ErrorScope::Global => "global",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::RetryNow => "retry-now",
        Verdict::RetryAfter(_) => "retry-after",
        Verdict::RetryInFreshSession => "retry-in-fresh-session",
        Verdict::SwitchModel => "switch-model",
        Verdict::Compact => "compact",
        Verdict::Surface => "surface",
    }
}

fn notice_kind(kind: &NoticeKind) -> &str {
    match kind {
        NoticeKind::Opened => "opened",
        NoticeKind::Continued => "continued",
        NoticeKind::ReSeeded => "re-seeded",
        NoticeKind::Resumed => "resumed",
        NoticeKind::Restarted => "restarted",
        NoticeKind::ProviderRetry => "provider-retry",
        NoticeKind::Retry => "retry",
        NoticeKind::ModelSwitched => "model-switched",
        NoticeKind::UnknownEventIgnored => "unknown-event-ignored",
        NoticeKind::PermissionDenied => "permission-denied",
        NoticeKind::OptionIgnored => "option-ignored",
        NoticeKind::Other(name) => name,
    }
}

/// The reason by its name.
pub(crate) fn finish_reason(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content-filter",
        FinishReason::ToolCalls => "tool-calls",
        FinishReason::Other(name) => name,
    }
}
