//! Why the model stopped.

use llm_provider_guest::types::FinishReason;

/// The API's word for it. `pause_turn`, which only the provider's own tools lead to, has no name here.
pub(super) fn reason(word: &str) -> FinishReason {
    match word {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        // The second is the end of the model's window: cut off all the same.
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        _ => FinishReason::Other(word.to_owned()),
    }
}
