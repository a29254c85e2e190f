//! What differs between generations of models, told by their names: the API refuses what a model does not know, and
//! nothing else says which model knows what.

use crate::config::{Config, ThinkingMode};

/// Names of models before Gemini 3.
const OLD: [&str; 3] = ["gemini-1", "gemini-2", "gemini-pro"];

/// What a model is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    /// How it is told how hard to think.
    pub(crate) thinking: ThinkingMode,
    /// Whether it cannot be told not to think: the large ones always do.
    pub(crate) always_thinks: bool,
    /// Whether a call of the current turn must have a signature.
    pub(crate) checks_signatures: bool,
}

impl Generation {
    /// By the name of a model, with or without `models/` before it; what the configuration says comes first.
    pub(crate) fn of(config: &Config, model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let old = OLD.iter().any(|old| name.starts_with(old));
        let thinking = if old { ThinkingMode::Budget } else { ThinkingMode::Level };
        Self {
            thinking: config.thinking.unwrap_or(thinking),
            always_thinks: name.split('-').any(|word| word == "pro"),
            checks_signatures: !old,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_by_name() {
        let config: Config = serde_json::from_str(r#"{"base-url":"https://a.example"}"#).unwrap();
        let of = |model: &str| {
            let generation = Generation::of(&config, model);
            (generation.thinking, generation.always_thinks, generation.checks_signatures)
        };
        use ThinkingMode::{Budget, Level};
        for (model, want) in [
            ("gemini-2.0-flash", (Budget, false, false)),
            ("gemini-2.5-flash-lite", (Budget, false, false)),
            ("models/gemini-2.5-pro", (Budget, true, false)),
            ("gemini-3-pro-preview", (Level, true, true)),
            ("gemini-3.8-flash", (Level, false, true)),
            ("gemini-flash-latest", (Level, false, true)),
            ("prose", (Level, false, true)),
        ] {
            assert_eq!(of(model), want, "{model}");
        }
        let told: Config = serde_json::from_str(r#"{"base-url":"https://a.example","thinking":"budget"}"#).unwrap();
        assert_eq!(Generation::of(&told, "gemini-3-flash").thinking, Budget);
    }
}
