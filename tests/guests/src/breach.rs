//! Breaches of the contract about events, blocks and tools. Each begins as a sound turn does.

use crate::effect::Effect;
use crate::speech::{attempt, begin, cancelled, end, finished, notice, say, text, thinking};
use llm_provider_guest::effects::ToolEffect;
use llm_provider_guest::events::{Delta, Event};
use llm_provider_guest::types::{ToolCall, ToolResult, TurnId, Usage};

/// Commits the breach called `name`; false when there is none of that name.
pub(crate) fn commit(name: &str, turn: TurnId, out: &mut Vec<Effect>) -> bool {
    if name == "late-tool" {
        say(out, turn, finished());
        out.push(invoke(turn, "late"));
        return true;
    }
    let Some(events) = events(name).or_else(|| derived(name)) else { return false };
    let to = if name.starts_with("unknown-") { turn + 1_000_000 } else { turn };
    events.into_iter().for_each(|event| say(out, to, event));
    true
}

fn events(name: &str) -> Option<Vec<Event>> {
    let sound = [attempt(1), begin(0), text(0, "said")];
    let rest = match name {
        "unknown-turn" => return Some(vec![notice("hello?")]),
        "delta-without-block" => return Some(vec![attempt(1), text(0, "x")]),
        "block-without-attempt" => return Some(vec![begin(0)]),
        "second-attempt" => return Some(vec![attempt(1), attempt(2)]),
        "answer-without-call" => {
            let result = ToolResult { call_id: "none".to_owned(), content: "x".to_owned(), is_error: false };
            return Some(vec![attempt(1), Event::ToolAnswered(result)]);
        }
        "blocks-without-end" => {
            let blocks = (0..20_000).flat_map(|index| [begin(index), end(index, "")]);
            return Some([attempt(1)].into_iter().chain(blocks).collect());
        }
        "attempt-skipped" => return Some(vec![attempt(2)]),
        "after-terminal" => vec![end(0, "said"), finished(), notice("one more thing")],
        "double-terminal" => vec![end(0, "said"), finished(), finished()],
        "block-twice" => vec![begin(0)],
        "block-left-open" => vec![finished()],
        "delta-after-end" => vec![end(0, "said"), text(0, "more")],
        "wrong-kind" => vec![thinking(0)],
        "end-twice" => vec![end(0, "said"), end(0, "said")],
        _ => return None,
    };
    Some(sound.into_iter().chain(rest).collect())
}

/// Every breach that ends the instance.
pub const BREACHES: [&str; 45] = [
    "late-tool",
    "unknown-turn",
    "delta-without-block",
    "block-without-attempt",
    "second-attempt",
    "attempt-skipped",
    "after-terminal",
    "double-terminal",
    "block-twice",
    "block-left-open",
    "delta-after-end",
    "wrong-kind",
    "end-twice",
    "answer-without-call",
    "blocks-without-end",
    "after-attempt",
    "after-abandoned",
    "after-begin",
    "after-text",
    "after-thinking",
    "after-arguments",
    "after-end",
    "after-usage",
    "after-failed",
    "unknown-attempt",
    "unknown-abandoned",
    "unknown-begin",
    "unknown-text",
    "unknown-thinking",
    "unknown-arguments",
    "unknown-end",
    "unknown-usage",
    "unknown-finished",
    "unknown-failed",
    "early-abandoned",
    "early-begin",
    "early-text",
    "early-thinking",
    "early-arguments",
    "early-end",
    "closed-begin",
    "closed-thinking",
    "closed-arguments",
    "closed-end",
    "closed-text",
];

/// A breach made of when and what: `after-usage` is a usage after the end.
fn derived(name: &str) -> Option<Vec<Event>> {
    let (when, what) = name.split_once('-')?;
    let what = match what {
        "attempt" => attempt(2),
        "abandoned" => Event::AttemptAbandoned("reset".to_owned()),
        "begin" => begin(0),
        "text" => text(0, "x"),
        "thinking" => thinking(0),
        "arguments" => Event::ToolArgumentsDelta(Delta { index: 0, text: "{".to_owned() }),
        "end" => end(0, "x"),
        "usage" => Event::Usage(Usage::default()),
        "finished" => finished(),
        "failed" => cancelled(),
        _ => return None,
    };
    let before = match when {
        "after" => vec![attempt(1), begin(0), text(0, "said"), end(0, "said"), finished()],
        "closed" => vec![attempt(1), begin(0), text(0, "said"), end(0, "said")],
        "unknown" | "early" => Vec::new(),
        _ => return None,
    };
    Some(before.into_iter().chain([what]).collect())
}

/// A call of the tool `ping`.
pub(crate) fn invoke(turn: TurnId, id: &str) -> Effect {
    let call = ToolCall { id: id.to_owned(), name: "ping".to_owned(), arguments: "{}".to_owned() };
    Effect::Tool(ToolEffect::Invoke(turn, call))
}
