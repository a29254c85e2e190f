//! Breaches of the contract about events, blocks and tools. Each begins as a sound turn does.

use crate::effect::Effect;
use crate::speech::{attempt, begin, end, finished, notice, say, text, thinking};
use llm_provider_guest::effects::ToolEffect;
use llm_provider_guest::events::Event;
use llm_provider_guest::types::{ToolCall, TurnId};

/// Commits the breach called `name`; false when there is none of that name.
pub(crate) fn commit(name: &str, turn: TurnId, out: &mut Vec<Effect>) -> bool {
    if name == "late-tool" {
        say(out, turn, finished());
        out.push(invoke(turn, "late"));
        return true;
    }
    let Some(events) = events(name) else { return false };
    let to = if name == "unknown-turn" { turn + 1_000_000 } else { turn };
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

/// A call of the tool `ping`.
pub(crate) fn invoke(turn: TurnId, id: &str) -> Effect {
    let call = ToolCall { id: id.to_owned(), name: "ping".to_owned(), arguments: "{}".to_owned() };
    Effect::Tool(ToolEffect::Invoke(turn, call))
}
