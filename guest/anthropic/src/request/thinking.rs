//! How hard the model thinks, and the room it has for thinking and answering together.
//!
//! The API counts thinking as a part of `max_tokens`. So a limit that the turn sets holds for both, as it does with other
//! providers: a level of effort makes do with half of it, and a number of tokens that does not fit is
//! refused. The limit of the configuration is for answers that nobody limited; there a budget comes on top.

use crate::config::{Config, ThinkingMode};
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::Ask;
use serde::Serialize;

/// The least that the API takes as a budget, and enough for `low`.
const LEAST: u32 = 1_024;
/// Four times as much.
const MEDIUM: u32 = 4_096;
/// Four times as much again: what the documentation suggests for difficult tasks. With the answer of 8,192 tokens it
/// stays below 32,000, the most that the smallest thinking model (Opus 4) writes.
const HIGH: u32 = 16_384;

/// As the API is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Disabled,
    Enabled { budget_tokens: u32 },
    Adaptive,
}

/// What a model call is told about thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    pub(super) max_tokens: u32,
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<&'a str>,
}

impl<'a> Plan<'a> {
    /// # Errors
    /// `unsupported` for a level that is none; `invalid` for a budget without room.
    pub(super) fn of(config: &Config, ask: &'a Ask) -> Result<Self, Failure> {
        let max_tokens = ask.max_output_tokens.unwrap_or(config.max_output_tokens);
        let plan = |thinking| Ok(Self { max_tokens, thinking, effort: None });
        match (ask.effort.as_deref(), config.thinking) {
            (None, _) => plan(None),
            (Some("minimal"), _) => plan(Some(Thinking::Disabled)),
            (Some(level), ThinkingMode::Adaptive) => adaptive(level, max_tokens),
            (Some(level), ThinkingMode::Budget) => {
                let (budget_tokens, max_tokens) = budget(level, ask.max_output_tokens, config.max_output_tokens)?;
                Ok(Self { max_tokens, thinking: Some(Thinking::Enabled { budget_tokens }), effort: None })
            }
        }
    }

    /// Whether the model may think.
    pub(super) fn thinks(&self) -> bool {
        matches!(self.thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive))
    }
}

/// Levels are the service's own words, of which there are more with each model.
fn adaptive(level: &str, max_tokens: u32) -> Result<Plan<'_>, Failure> {
    if level.is_empty() || level.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(no_level(level, "the configuration's `thinking` is `adaptive`: `low`, `medium`, `high` and so on"));
    }
    Ok(Plan { max_tokens, thinking: Some(Thinking::Adaptive), effort: Some(level) })
}

/// The budget, and the limit for thinking and answer together.
fn budget(level: &str, limit: Option<u32>, default: u32) -> Result<(u32, u32), Failure> {
    let named = match level {
        "low" => Some(LEAST),
        "medium" => Some(MEDIUM),
        "high" => Some(HIGH),
        _ => None,
    };
    let wanted = match named {
        Some(budget) => budget,
        None => level.parse().ok().filter(|budget| *budget >= LEAST).ok_or_else(|| {
            no_level(level, "`minimal`, `low`, `medium`, `high`, or a number of tokens of at least 1024")
        })?,
    };
    let room = limit.unwrap_or(default.saturating_add(wanted));
    let budget = if named.is_some() && limit.is_some() { wanted.min(room / 2) } else { wanted };
    if budget < LEAST || budget >= room {
        let message = format!("an answer of at most {room} tokens has no room for thinking with the effort `{level}`");
        let hint = "raise max-output-tokens, of which thinking is a part, or lower the effort".to_owned();
        return Err(Failure::of(Fault::Invalid, message).with_hint(Some(hint)));
    }
    Ok((budget, room))
}

fn no_level(level: &str, hint: &str) -> Failure {
    let message = format!("the Messages API has no effort `{}`", level.escape_debug());
    Failure::of(Fault::Unsupported, message).with_hint(Some(hint.to_owned()))
}
