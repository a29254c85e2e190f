//! Calls of tools, as the prompt writes them: a line `id|name|arguments` for each call of a wave, an empty line between
//! waves. The next wave begins when each call of the last is answered.

use crate::effect::Effect;
use crate::speech::{attempt, begin, cancelled, end, finished, say, text};
use llm_provider_guest::effects::ToolEffect;
use llm_provider_guest::types::{ToolCall, ToolResult, TurnId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A turn that calls tools and then says what they gave.
#[derive(Debug, Default)]
struct Calling {
    waves: VecDeque<String>,
    waiting: BTreeSet<String>,
    said: String,
    /// Begins only when it is cancelled.
    late: bool,
}

/// All such turns.
#[derive(Debug, Default)]
pub(crate) struct Callers(BTreeMap<TurnId, Calling>);

impl Callers {
    pub(crate) fn start(&mut self, turn: TurnId, calls: &str, late: bool, out: &mut Vec<Effect>) {
        say(out, turn, attempt(1));
        let waves = calls.split("\n\n").map(str::to_owned).collect();
        self.0.insert(turn, Calling { waves, late, ..Calling::default() });
        if !late {
            self.go_on(turn, out);
        }
    }

    /// Answers come in any order, and none is left out of what is said.
    pub(crate) fn answered(&mut self, turn: TurnId, result: &ToolResult, out: &mut Vec<Effect>) {
        let Some(calling) = self.0.get_mut(&turn) else { return };
        let how = if result.is_error { "failed" } else { "ok" };
        calling.said += &format!("{} {how} {}\n", result.call_id, result.content);
        calling.waiting.remove(&result.call_id);
        if calling.waiting.is_empty() {
            self.go_on(turn, out);
        }
    }

    pub(crate) fn cancel(&mut self, turn: TurnId, out: &mut Vec<Effect>) {
        match self.0.get(&turn) {
            Some(calling) if calling.late => self.go_on(turn, out),
            Some(_) => {
                self.0.remove(&turn);
                say(out, turn, cancelled());
            }
            None => {}
        }
    }

    fn go_on(&mut self, turn: TurnId, out: &mut Vec<Effect>) {
        let Some(calling) = self.0.get_mut(&turn) else { return };
        let Some(wave) = calling.waves.pop_front() else {
            let (said, late) = (std::mem::take(&mut calling.said), calling.late);
            self.0.remove(&turn);
            say(out, turn, begin(0));
            say(out, turn, text(0, &said));
            say(out, turn, end(0, &said));
            say(out, turn, if late { cancelled() } else { finished() });
            return;
        };
        for line in wave.lines() {
            let mut parts = line.splitn(3, '|').map(str::to_owned);
            let mut part = || parts.next().unwrap_or_default();
            let call = ToolCall { id: part(), name: part(), arguments: part() };
            calling.waiting.insert(call.id.clone());
            out.push(Effect::Tool(ToolEffect::Invoke(turn, call)));
        }
    }
}
