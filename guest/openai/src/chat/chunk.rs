//! The shapes of an answer: a chunk of a stream, or the whole of it, which differ in one name.
//!
//! What services leave out, or write as `null`, is absent here. Fields that are of no use are not read.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub(super) model: Option<String>,
    /// Empty in the chunk that tells the usage, and in Azure's first, which tells what its filter found in the prompt.
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub(super) usage: Option<Value>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(default)]
    pub(super) delta: Option<Said>,
    #[serde(default)]
    pub(super) message: Option<Said>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    pub(super) content: Option<Content>,
    #[serde(default)]
    pub(super) refusal: Option<String>,
    /// DeepSeek's name for thinking, which most servers took over.
    #[serde(default)]
    pub(super) reasoning_content: Option<String>,
    /// OpenRouter's and newer servers' name for it.
    #[serde(default)]
    pub(super) reasoning: Option<String>,
    #[serde(default)]
    pub(super) tool_calls: Option<Vec<CallPart>>,
}

/// Text, or, from Mistral's reasoning models, a list of parts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

/// A part of content: text, or thinking, which is a list of parts again.
#[derive(Debug, Deserialize)]
pub(super) struct ContentPart {
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) thinking: Option<Vec<ThinkingPart>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ThinkingPart {
    #[serde(default)]
    pub(super) text: Option<String>,
}

/// A fragment of a call. The first has id and name.
#[derive(Debug, Deserialize)]
pub(super) struct CallPart {
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) function: Option<FunctionPart>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionPart {
    #[serde(default)]
    pub(super) name: Option<String>,
    /// A string that holds JSON; some servers write the JSON itself.
    #[serde(default)]
    pub(super) arguments: Option<Value>,
}

impl CallPart {
    /// Id, name and arguments, each if there is something in it.
    pub(super) fn take(self) -> (Option<String>, Option<String>, Option<String>) {
        let FunctionPart { name, arguments } = self.function.unwrap_or(FunctionPart { name: None, arguments: None });
        let arguments = arguments.and_then(|arguments| match arguments {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        });
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        (some(self.id), some(name), some(arguments))
    }
}
