//! Failing a number of times, in a way the prompt describes, before answering:
//!
//! ```text
//! fail TIMES KIND VERDICT FACT...
//! fail 2 overloaded retry-after=50 attempt usage=5 hint=20 sent
//! ```

use crate::breach::invoke;
use crate::effect::Effect;
use crate::speech::{attempt, begin, end, error, finished_after, notice_of, say, text};
use llm_provider_guest::errors::{Error, ErrorKind, Verdict};
use llm_provider_guest::events::{Event, Failed, NoticeKind};
use llm_provider_guest::types::{TurnId, Usage};
use std::collections::BTreeMap;

/// How often each prompt has failed. Lost with the sandbox.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeMap<String, u64>);

/// What becomes of a turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has ended.
    Ended,
    /// It stays open until it is cancelled.
    Held,
}

impl Failures {
    /// Fails or answers a turn, as `told` after the word `fail` says.
    pub(crate) fn turn(&mut self, turn: TurnId, told: &str, out: &mut Vec<Effect>) -> Outcome {
        let words: Vec<&str> = told.split_whitespace().collect();
        let times = words.first().and_then(|times| times.parse().ok()).unwrap_or(0);
        let failed = self.0.entry(told.to_owned()).or_default();
        if *failed >= times {
            if words.contains(&"then-hold") {
                return Outcome::Held;
            }
            let said = format!("answered after {failed}");
            say(out, turn, attempt(1));
            say(out, turn, begin(0));
            say(out, turn, text(0, &said));
            say(out, turn, end(0, &said));
            say(out, turn, finished_after(usage(&words)));
            return Outcome::Ended;
        }
        *failed += 1;
        for word in &words {
            show(word, turn, out);
        }
        say(out, turn, Event::Failed(Failed { error: failure(&words), usage: usage(&words) }));
        Outcome::Ended
    }
}

/// What is told before the failure.
fn show(fact: &str, turn: TurnId, out: &mut Vec<Effect>) {
    match fact {
        "attempt" => say(out, turn, attempt(1)),
        "text" => [begin(0), text(0, "half ")].into_iter().for_each(|event| say(out, turn, event)),
        "abandoned" => say(out, turn, Event::AttemptAbandoned("as asked".to_owned())),
        "tool" => out.push(invoke(turn, "call-1")),
        "own-retry" => say(out, turn, notice_of(NoticeKind::ProviderRetry, "by itself")),
        _ => {}
    }
}

/// The value of a word such as `usage=5`.
fn value(words: &[&str], name: &str) -> Option<u64> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

fn usage(words: &[&str]) -> Usage {
    match value(words, "usage") {
        Some(output_tokens) => Usage { model_calls: 1, output_tokens, ..Usage::default() },
        None => Usage::default(),
    }
}

fn failure(words: &[&str]) -> Error {
    let kind = match words.get(1).copied() {
        Some("cancelled") => ErrorKind::Cancelled,
        Some("overloaded") => ErrorKind::Overloaded,
        Some("rate-limit") => ErrorKind::RateLimit,
        Some("sidecar") => ErrorKind::Sidecar,
        Some("timeout") => ErrorKind::Timeout,
        Some("transport") => ErrorKind::Transport,
        _ => ErrorKind::Internal,
    };
    let verdict = match words.get(2).copied() {
        Some("compact") => Verdict::Compact,
        Some("fresh-session") => Verdict::RetryInFreshSession,
        Some("retry-now") => Verdict::RetryNow,
        Some("switch-model") => Verdict::SwitchModel,
        _ => value(words, "retry-after").map_or(Verdict::Surface, Verdict::RetryAfter),
    };
    Error {
        verdict,
        retry_after: value(words, "hint"),
        request_sent: words.contains(&"sent"),
        tools_ran: words.contains(&"ran"),
        ..error(kind, "it failed as asked")
    }
}
