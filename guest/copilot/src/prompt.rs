//! Prompts from messages.

use llm_provider_guest::types::{Block, Message};

/// What stands between two messages that go out as one prompt.
const BETWEEN: &str = "\n\n";

/// The text of user messages as one prompt: all of them, in order.
pub(crate) fn text(messages: &[Message]) -> String {
    let mut prompt = String::new();
    for message in messages {
        let before = prompt.len();
        if before > 0 {
            prompt.push_str(BETWEEN);
        }
        let start = prompt.len();
        message.blocks.iter().for_each(|block| {
            if let Block::Text(text) = block {
                prompt.push_str(&text.text);
            }
        });
        if prompt.len() == start {
            prompt.truncate(before);
        }
    }
    prompt
}
