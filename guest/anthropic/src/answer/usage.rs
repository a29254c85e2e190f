//! What a model call cost.

use super::wire;
use llm_provider_guest::types::Usage;

/// The counts so far. They come at the beginning and again, as sums, at the end, where some may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    thinking: u64,
}

impl Counted {
    pub(super) fn update(&mut self, usage: &wire::Usage) {
        let said = [
            (&mut self.input, usage.input_tokens),
            (&mut self.cache_read, usage.cache_read_input_tokens),
            (&mut self.cache_write, usage.cache_creation_input_tokens),
            (&mut self.output, usage.output_tokens),
            (&mut self.thinking, usage.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens)),
        ];
        for (count, said) in said {
            *count = said.unwrap_or(*count);
        }
    }

    /// The API's `input_tokens` are those that have nothing to do with the cache.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            model_calls: 1,
            input_tokens: self.input.saturating_add(self.cache_read).saturating_add(self.cache_write),
            output_tokens: self.output,
            reasoning_tokens: self.thinking,
            cache_read_tokens: self.cache_read,
            cache_write_tokens: self.cache_write,
            premium_requests: 0.0,
        }
    }
}
