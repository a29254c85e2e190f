//! Which word leads to which misbehaviour.

use crate::effect::Effect;
use crate::failing::{Failures, Outcome};
use crate::invoke::Callers;
use crate::outside::Outside;
use crate::speech::{attempt, begin, cancelled, end, error, finished, notice, say, text};
use crate::{breach, greed, probe};
use llm_provider_guest::effects::{LogEffect, SidecarEffect, TimerEffect};
use llm_provider_guest::errors::{Error, ErrorKind};
use llm_provider_guest::log::Level;
use llm_provider_guest::provider::{Input, Setup, Turn};
use llm_provider_guest::sidecar::Spec;
use llm_provider_guest::types::{Block, Instant, TurnId};
use llm_provider_guest::{Perform, Plugin};
use std::collections::{BTreeMap, BTreeSet};

/// Deltas of one call in the mode `stream`.
const DELTAS_OF_A_CALL: u64 = 100;

/// The plugin.
#[derive(Debug, Default)]
pub struct Naughty {
    /// Turns that end when they are cancelled.
    held: BTreeSet<TurnId>,
    /// Turns that speak at each tick of the timer of the same number, with what they still have to say.
    streams: BTreeMap<TurnId, (u64, u64)>,
    /// The number of the last sidecar that was asked for, while one is wanted.
    wanted: Option<u64>,
    failures: Failures,
    /// Turns that call tools.
    callers: Callers,
    /// Turns that reach for something outside.
    outside: Outside,
    /// Turns that let a timer fire again and again.
    ticking: BTreeSet<TurnId>,
}

impl Plugin for Naughty {
    type Effect = Effect;

    fn configure(setup: Setup) -> Result<Self, Error> {
        std::panic::set_hook(Box::new(|panic| LogEffect(Level::Error, format!("{panic}")).perform()));
        match setup.config.trim_matches('"') {
            "refuse" => Err(error(ErrorKind::InvalidRequest, "this configuration cannot work")),
            "panic" => fail(),
            "spin" => greed::spin(),
            _ => Ok(Self::default()),
        }
    }

    fn handle(&mut self, now: Instant, inputs: Vec<Input>, out: &mut Vec<Effect>) {
        for input in inputs {
            match input {
                Input::StartTurn(turn) => self.start(&turn, now, out),
                Input::CancelTurn(id) => self.cancel(id, out),
                Input::TimerFired(id) if self.ticking.contains(&id) => out.push(TimerEffect::Set(id, 0).into()),
                Input::TimerFired(id) => self.stream(id, out),
                Input::ToolResult(answer) => self.callers.answered(answer.turn, &answer.result, out),
                Input::SidecarFailed(_) if self.wanted.is_some() => self.start_sidecar(out),
                other => self.outside.take(&other, out),
            }
        }
    }
}

impl Naughty {
    fn start(&mut self, turn: &Turn, now: Instant, out: &mut Vec<Effect>) {
        let prompt = prompt(turn);
        let (mode, argument) = prompt.split_once(' ').unwrap_or((&prompt, ""));
        let count = argument.parse::<u64>().unwrap_or(0);
        match mode {
            "panic" => fail(),
            "spin" => greed::spin(),
            "grow" => greed::grow(),
            "recurse" => drop(greed::recurse(0)),
            "hold" | "deaf" => self.hold(turn.id, mode == "hold", out),
            "fail" => {
                if self.failures.turn(turn.id, argument, out) == Outcome::Held {
                    self.hold(turn.id, true, out);
                }
            }
            "stream" => self.begin_stream(turn.id, count, out),
            "invoke" | "invoke-late" => self.callers.start(turn.id, argument, mode == "invoke-late", out),
            "restart" => {
                self.hold(turn.id, true, out);
                self.wanted = Some(0);
                self.start_sidecar(out);
            }
            "tick" => {
                self.hold(turn.id, true, out);
                self.ticking.insert(turn.id);
                out.push(TimerEffect::Set(turn.id, 0).into());
            }
            "log" => {
                out.push(LogEffect(Level::Warn, argument.to_owned()).into());
                answer(turn.id, "done", out);
            }
            "sessions" => answer(turn.id, &turn.session.to_string(), out),
            _ if flood(mode, turn.id, count, out) || breach::commit(mode, turn.id, out) => {}
            _ if probe::start(mode, turn.id, argument, now, out) => {}
            _ if self.outside.start(mode, turn.id, argument, out) => {}
            _ => answer(turn.id, &prompt, out),
        }
    }

    fn hold(&mut self, turn: TurnId, polite: bool, out: &mut Vec<Effect>) {
        say(out, turn, attempt(1));
        if polite {
            self.held.insert(turn);
        }
    }

    fn cancel(&mut self, turn: TurnId, out: &mut Vec<Effect>) {
        self.callers.cancel(turn, out);
        let streamed = self.streams.remove(&turn).is_some();
        self.ticking.remove(&turn);
        if self.held.remove(&turn) || streamed {
            self.wanted = None;
            say(out, turn, cancelled());
        }
    }

    fn begin_stream(&mut self, turn: TurnId, count: u64, out: &mut Vec<Effect>) {
        say(out, turn, attempt(1));
        say(out, turn, begin(0));
        self.streams.insert(turn, (0, count));
        out.push(Effect::Timer(TimerEffect::Set(turn, 0)));
    }

    /// Numbers, one a delta, so that the reader can see that none is missing or out of order.
    fn stream(&mut self, turn: TurnId, out: &mut Vec<Effect>) {
        let Some((said, count)) = self.streams.get_mut(&turn) else { return };
        let until = (*said + DELTAS_OF_A_CALL).min(*count);
        for number in *said..until {
            say(out, turn, text(0, &format!("{number} ")));
        }
        *said = until;
        if until < *count {
            out.push(Effect::Timer(TimerEffect::Set(turn, 0)));
            return;
        }
        self.streams.remove(&turn);
        say(out, turn, end(0, ""));
        say(out, turn, finished());
    }

    /// Asks for a sidecar that no policy grants, again and again.
    fn start_sidecar(&mut self, out: &mut Vec<Effect>) {
        if let Some(number) = &mut self.wanted {
            *number += 1;
            let spec = Spec { name: "nowhere".to_owned(), settings: Vec::new(), secrets: Vec::new() };
            out.push(Effect::Sidecar(SidecarEffect::Start(*number, spec)));
        }
    }
}

/// Too much at once, of something that is allowed. False when `mode` names nothing of the kind.
fn flood(mode: &str, turn: TurnId, count: u64, out: &mut Vec<Effect>) -> bool {
    match mode {
        "events" => (0..count).for_each(|_| say(out, turn, notice("again"))),
        "timers" => (0..count).for_each(|id| out.push(Effect::Timer(TimerEffect::Set(id, 60_000)))),
        "moves" => (0..count).for_each(|_| out.push(Effect::Timer(TimerEffect::Set(7, 60_000)))),
        "logs" => (0..count).for_each(|_| out.push(Effect::Log(LogEffect(Level::Debug, "again".to_owned())))),
        "tools" => (0..count).for_each(|id| out.push(breach::invoke(turn, &id.to_string()))),
        "huge" => return huge(turn, count, out),
        _ => return false,
    }
    answer(turn, "done", out);
    true
}

fn huge(turn: TurnId, bytes: u64, out: &mut Vec<Effect>) -> bool {
    answer(turn, &"x".repeat(usize::try_from(bytes).unwrap_or(0)), out);
    true
}

/// A sound turn.
pub(crate) fn answer(turn: TurnId, said: &str, out: &mut Vec<Effect>) {
    for event in [attempt(1), begin(0), text(0, said), end(0, said), finished()] {
        say(out, turn, event);
    }
}

#[expect(clippy::panic, reason = "to panic is what is asked for")]
fn fail() -> ! {
    panic!("as asked\nin two lines")
}

pub(crate) fn prompt(turn: &Turn) -> String {
    let blocks = turn.history.last().map(|message| message.blocks.as_slice()).unwrap_or_default();
    let texts = blocks.iter().filter_map(|block| if let Block::Text(text) = block { Some(&*text.text) } else { None });
    texts.collect()
}
