//! What a model says, in no dialect: blocks of deltas, usage, and why it stopped.

use serde_json::Value;

/// One block of an answer, in the order in which it is streamed. Each string is one delta.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    Reasoning(Vec<String>),
    Text(Vec<String>),
    ToolCall(ToolCall),
}

impl Block {
    /// The deltas that a stream sends for this block.
    pub(crate) fn deltas(&self) -> &[String] {
        match self {
            Self::Reasoning(deltas) | Self::Text(deltas) => deltas,
            Self::ToolCall(call) => &call.fragments,
        }
    }

    /// All deltas together.
    pub(crate) fn whole(&self) -> String {
        self.deltas().concat()
    }
}

/// A call of a tool by the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) fragments: Vec<String>,
}

impl ToolCall {
    /// A call whose arguments arrive in one piece.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: &Value) -> Self {
        Self::fragments(id, name, [arguments.to_string()])
    }

    /// A call whose arguments arrive in these pieces of JSON text. They may be cut anywhere, and need not be JSON at
    /// all: that is how invalid arguments are tested.
    pub fn fragments<I>(id: impl Into<String>, name: impl Into<String>, fragments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self { id: id.into(), name: name.into(), fragments: fragments.into_iter().map(Into::into).collect() }
    }
}

/// Why the model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// The answer is complete.
    Stop,
    /// The limit on output tokens was reached.
    Length,
    /// The provider withheld content.
    ContentFilter,
    /// The model waits for tools. The default of an answer that holds tool calls.
    ToolCalls,
    /// A word no dialect knows, sent as it stands (Responses: a `status`).
    Other(String),
}

/// Tokens of one model call. As in OpenAI's dialects `input` *includes* `cached` and `cache_write`; the Anthropic
/// dialect subtracts them, because there the three are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Of `input`: read from the provider's cache.
    pub cached: u64,
    /// Of `input`: written to the provider's cache (Anthropic only).
    pub cache_write: u64,
    /// Of `output`: reasoning (not Anthropic).
    pub reasoning: u64,
}

/// What an answer says about usage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum UsageReport {
    /// A quarter of the characters, rounded up: deterministic and of the right order.
    #[default]
    Estimated,
    Fixed(Usage),
    Absent,
}

/// A complete answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) blocks: Vec<Block>,
    pub(crate) usage: UsageReport,
    pub(crate) finish: Option<Finish>,
}

impl Answer {
    /// Why the answer ends: as scripted, else what its blocks say.
    pub(crate) fn finish(&self) -> Finish {
        let waits = self.blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
        self.finish.clone().unwrap_or(if waits { Finish::ToolCalls } else { Finish::Stop })
    }

    /// The usage to report for a prompt of `prompt_chars` characters.
    pub(crate) fn usage(&self, prompt_chars: usize) -> Option<Usage> {
        match self.usage {
            UsageReport::Estimated => Some(self.estimate(prompt_chars)),
            UsageReport::Fixed(usage) => Some(usage),
            UsageReport::Absent => None,
        }
    }

    fn estimate(&self, prompt_chars: usize) -> Usage {
        let chars = |block: &Block| block.deltas().iter().map(|delta| delta.chars().count()).sum::<usize>();
        let reasoning = self.blocks.iter().filter(|block| matches!(block, Block::Reasoning(_)));
        Usage {
            input: tokens(prompt_chars),
            output: tokens(self.blocks.iter().map(chars).sum()),
            reasoning: tokens(reasoning.map(chars).sum()),
            ..Usage::default()
        }
    }
}

fn tokens(chars: usize) -> u64 {
    u64::try_from(chars.div_ceil(4)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_finish_follows_from_the_blocks_unless_scripted() {
        let mut answer = Answer { blocks: vec![Block::Text(vec!["a".into()])], ..Answer::default() };
        assert_eq!(answer.finish(), Finish::Stop);
        answer.blocks.push(Block::ToolCall(ToolCall::new("1", "f", &json!({}))));
        assert_eq!(answer.finish(), Finish::ToolCalls);
        answer.finish = Some(Finish::Length);
        assert_eq!(answer.finish(), Finish::Length);
    }

    #[test]
    fn an_estimate_counts_characters_not_bytes() {
        let blocks = vec![Block::Reasoning(vec!["éé".into()]), Block::Text(vec!["ééé".into(), "é".into()])];
        let usage = Answer { blocks, ..Answer::default() }.usage(5).unwrap();
        assert_eq!(usage, Usage { input: 2, output: 2, reasoning: 1, ..Usage::default() });
    }
}
