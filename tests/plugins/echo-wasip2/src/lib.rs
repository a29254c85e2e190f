//! A plugin as a third party writes one: the standard library on wasm32-wasip2, prints and hash maps included.
//!
//! It answers with the last text of the person, in two deltas. A few prompts make it try what the sandbox must refuse.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod ambient;

use llm_provider_core::turn::{Kind, Turn};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::EventEffect;
use llm_provider_guest::errors::Error;
use llm_provider_guest::provider::{Input, Setup};
use llm_provider_guest::types::{Block, FinishReason, Instant};
use std::collections::HashMap;

/// The plugin: how often it was asked what.
#[derive(Debug, Default)]
pub struct Echo {
    asked: HashMap<String, u32>,
}

impl Plugin for Echo {
    type Effect = EventEffect;

    fn configure(_setup: Setup) -> Result<Self, Error> {
        Ok(Self::default())
    }

    fn handle(&mut self, _now: Instant, inputs: Vec<Input>, effects: &mut Vec<EventEffect>) {
        for input in inputs {
            if let Input::StartTurn(asked) = input {
                let blocks = asked.history.last().map(|message| message.blocks.as_slice()).unwrap_or_default();
                let prompt = blocks.iter().filter_map(text).collect::<String>();
                let said = self.answer(&prompt);
                speak(asked.id, &said, effects);
            }
        }
    }
}

impl Echo {
    #[expect(clippy::print_stdout, reason = "that prints reach the log is what is tested")]
    fn answer(&mut self, prompt: &str) -> String {
        let times = self.asked.entry(prompt.to_owned()).or_default();
        *times += 1;
        println!("asked {prompt:?}, {times} times");
        ambient::attempt(prompt).unwrap_or_else(|| prompt.to_owned())
    }
}

fn text(block: &Block) -> Option<&str> {
    if let Block::Text(text) = block { Some(&text.text) } else { None }
}

/// Half of it, then the other half.
fn speak(id: u64, said: &str, effects: &mut Vec<EventEffect>) {
    let middle = (said.len() / 2..=said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(0);
    let (first, second) = said.split_at(middle);
    let mut turn = Turn::new(id, None);
    let block = turn.open(Kind::Text, effects);
    turn.delta(block, first.to_owned(), effects);
    turn.delta(block, second.to_owned(), effects);
    turn.close(block, None, effects);
    turn.finish(FinishReason::Stop, None, effects);
}

#[cfg(target_arch = "wasm32")]
llm_provider_guest::export_plugin!(Echo);
