//! How to answer: the part of a request that is called `generationConfig`.

use crate::config::ThinkingMode;
use crate::generation::Generation;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::Ask;
use serde::Serialize;
use serde_json::value::RawValue;

/// The most stop sequences that the API takes.
const STOP_SEQUENCES: usize = 5;
/// What the API's documentation equates with the levels, for models that take numbers.
const LOW: i32 = 1_024;
const MEDIUM: i32 = 8_192;
const HIGH: i32 = 24_576;
/// The least that a model takes which always thinks.
const LEAST: i32 = 128;

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking>,
    #[serde(flatten)]
    schema: Option<Schema<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schema<'a> {
    response_mime_type: &'static str,
    /// The field `responseSchema` takes a dialect of schemas of its own; this one takes JSON schema.
    response_json_schema: &'a RawValue,
}

impl PartialEq for Schema<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.response_json_schema.get() == other.response_json_schema.get()
    }
}

/// The API refuses a request with both a budget and a level.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<String>,
    /// Whether summaries of the thoughts are a part of the answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    include_thoughts: bool,
}

impl<'a> GenerationConfig<'a> {
    /// # Errors
    /// `unsupported` for an option, or a value of one, for which the API has no place.
    pub(super) fn of(ask: &'a Ask, generation: Generation) -> Result<Self, Failure> {
        if ask.stop_sequences.len() > STOP_SEQUENCES {
            return Err(unsupported(format!("the Gemini API takes at most {STOP_SEQUENCES} stop sequences")));
        }
        let sampling = &ask.sampling;
        Ok(Self {
            max_output_tokens: ask.max_output_tokens,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: number("top-k", sampling.top_k)?,
            seed: number("seed", sampling.seed)?,
            presence_penalty: sampling.presence_penalty,
            frequency_penalty: sampling.frequency_penalty,
            stop_sequences: &ask.stop_sequences,
            thinking_config: ask.effort.as_deref().map(|effort| thinking(effort, generation)).transpose()?,
            schema: ask
                .output_schema
                .as_deref()
                .map(|schema| Schema { response_mime_type: "application/json", response_json_schema: schema }),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn thinking(effort: &str, generation: Generation) -> Result<Thinking, Failure> {
    let budget =
        |budget: i32| Thinking { thinking_budget: Some(budget), include_thoughts: budget != 0, ..Thinking::default() };
    // -1 leaves it to the model.
    if let Ok(tokens) = effort.parse::<i32>() {
        return if tokens < -1 { Err(no_level(effort)) } else { Ok(budget(tokens)) };
    }
    if generation.thinking == ThinkingMode::Level {
        return level(effort, generation);
    }
    match effort {
        "minimal" if generation.always_thinks => Ok(budget(LEAST)),
        "minimal" => Ok(budget(0)),
        "low" => Ok(budget(LOW)),
        "medium" => Ok(budget(MEDIUM)),
        "high" => Ok(budget(HIGH)),
        _ => Err(no_level(effort)),
    }
}

/// Levels are the service's own words, of which there may be more with each model.
fn level(effort: &str, generation: Generation) -> Result<Thinking, Failure> {
    let word = !effort.is_empty() && effort.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if !word {
        return Err(no_level(effort));
    }
    let effort = if effort == "minimal" && generation.always_thinks { "low" } else { effort };
    let level = effort.to_ascii_uppercase();
    Ok(Thinking { thinking_level: Some(level), include_thoughts: true, ..Thinking::default() })
}

fn number<T: TryInto<i32>>(option: &str, value: Option<T>) -> Result<Option<i32>, Failure> {
    let fits = value.map(TryInto::try_into).transpose();
    fits.map_err(|_| unsupported(format!("the Gemini API takes no `{option}` above {}", i32::MAX)))
}

fn no_level(effort: &str) -> Failure {
    let message = format!("the Gemini API has no effort `{}`", effort.escape_debug());
    unsupported(message).with_hint(Some("`minimal`, `low`, `medium`, `high`, or a number of tokens".to_owned()))
}

fn unsupported(message: String) -> Failure {
    Failure::of(Fault::Unsupported, message)
}
