//! What a model call cost.

use super::wire::Counts;
use llm_provider_guest::types::Usage;

/// The counts so far. They come with every chunk, as sums, and some only with the last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    prompt: u64,
    tool_use: u64,
    cached: u64,
    candidates: u64,
    thoughts: u64,
}

impl Counted {
    pub(super) fn update(&mut self, counts: &Counts) {
        let said = [
            (&mut self.prompt, counts.prompt_token_count),
            (&mut self.tool_use, counts.tool_use_prompt_token_count),
            (&mut self.cached, counts.cached_content_token_count),
            (&mut self.candidates, counts.candidates_token_count),
            (&mut self.thoughts, counts.thoughts_token_count),
        ];
        for (count, said) in said {
            *count = said.unwrap_or(*count);
        }
    }

    /// The API counts what comes from its cache as a part of the prompt, and thoughts beside the answer.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            model_calls: 1,
            input_tokens: self.prompt.saturating_add(self.tool_use),
            output_tokens: self.candidates.saturating_add(self.thoughts),
            reasoning_tokens: self.thoughts,
            cache_read_tokens: self.cached,
            cache_write_tokens: 0,
            premium_requests: 0.0,
        }
    }
}
