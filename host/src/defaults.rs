//! What stands in a record where nothing is said.

use crate::bindings::exports::llm::provider::provider::{Sampling, ToolChoice, TurnOptions};
use crate::bindings::llm::provider::sidecar_types::{Exit, Started};
use crate::bindings::llm::provider::types::{ToolOwner, Usage};

impl Default for TurnOptions {
    /// Everything as configured, no tools.
    fn default() -> Self {
        Self {
            model: None,
            system: None,
            tools: Vec::new(),
            tool_owner: ToolOwner::Callback,
            tool_choice: ToolChoice::Auto,
            provider_tools: Vec::new(),
            max_output_tokens: None,
            reasoning_effort: None,
            sampling: Sampling::default(),
            stop_sequences: Vec::new(),
            output_schema: None,
            activity_timeout: None,
        }
    }
}

impl Default for Sampling {
    /// As the provider does it.
    fn default() -> Self {
        Self {
            temperature: None,
            top_p: None,
            top_k: None,
            frequency_penalty: None,
            presence_penalty: None,
            seed: None,
        }
    }
}

impl Default for Usage {
    /// Nothing was used.
    fn default() -> Self {
        Self {
            model_calls: 0,
            input_tokens: 0,
            output_tokens: 0,
            reasoning_tokens: 0,
            cache_read_tokens: 0,
            cache_write_tokens: 0,
            premium_requests: 0.0,
        }
    }
}

impl Default for Started {
    /// A process of one's own, of which nothing is known.
    fn default() -> Self {
        Self { version: String::new(), working_directory: String::new(), shared: false }
    }
}

impl Default for Exit {
    /// An end of which nothing is known.
    fn default() -> Self {
        Self { code: None, signal: None, stderr_tail: String::new(), reason: None, report: None }
    }
}
