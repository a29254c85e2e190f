//! The plugin of a row: it knows the words of that row, and otherwise behaves.

use crate::breach::BREACHES;
use crate::effect::Effect;
use crate::plugin::{Naughty, answer, prompt};
use crate::row::Row;
use llm_provider_guest::Plugin;
use llm_provider_guest::errors::Error;
use llm_provider_guest::provider::{Input, Setup};
use llm_provider_guest::types::Instant;

/// The plugin of the row with this number (`Row::G01 as u8`).
#[derive(Debug)]
pub struct Hostile<const ROW: u8>(Naughty);

impl<const ROW: u8> Plugin for Hostile<ROW> {
    type Effect = Effect;

    fn configure(setup: Setup) -> Result<Self, Error> {
        Naughty::configure(setup).map(Self)
    }

    fn handle(&mut self, now: Instant, inputs: Vec<Input>, out: &mut Vec<Effect>) {
        for input in inputs {
            match input {
                Input::StartTurn(turn) if !knows(ROW, &prompt(&turn)) => answer(turn.id, &prompt(&turn), out),
                other => self.0.handle(now, vec![other], out),
            }
        }
    }
}

/// Whether the row misbehaves at this prompt.
fn knows(row: u8, prompt: &str) -> bool {
    let word = prompt.split(' ').next().unwrap_or_default();
    let row = Row::ALL.into_iter().find(|known| *known as u8 == row);
    row.is_some_and(|row| words(row).contains(&word) || row == Row::G20 && BREACHES.contains(&word))
}

/// The words of a row.
fn words(row: Row) -> &'static [&'static str] {
    match row {
        Row::G01 => &["spin"],
        Row::G02 => &["tick", "moves", "events"],
        Row::G03 => &["grow"],
        Row::G04 => &["recurse"],
        Row::G05 => &["huge", "no-text"],
        Row::G06 => &["stream"],
        Row::G07 => &["forge", "unknown-turn"],
        Row::G08 => &[], // refused before it could say anything: the test makes its components
        Row::G09 | Row::G10 | Row::G11 => &["fetch"],
        Row::G12 => &["header", "headers"],
        Row::G13 | Row::G18 => &["spawn"],
        Row::G14 => &["files"],
        Row::G15 => &["stale"],
        Row::G16 => &["key"],
        Row::G17 => &["log"],
        Row::G19 => &["trap"],
        Row::G20 => &["hold"],
        Row::G21 => &["now"],
        Row::G22 => &["hold", "stream", "invoke", "tick"],
    }
}
