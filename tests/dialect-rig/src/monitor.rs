//! Holds the engine to the contract of the world.

use llm_provider_core::completion::Effect;
use llm_provider_guest::effects::{CatalogEffect, EventEffect, HttpEffect, TimerEffect, ToolEffect};
use llm_provider_guest::events::{BlockKind, Event};
use llm_provider_guest::provider::Input;
use llm_provider_guest::types::{Block, Usage};
use std::collections::{BTreeMap, BTreeSet};

/// What was asked for and told so far, and whether it may be.
#[derive(Default)]
pub struct Monitor {
    turns: BTreeMap<u64, Turn>,
    /// Questions about the provider that have no answer yet.
    questions: BTreeSet<u64>,
    /// Requests that were sent and have neither ended nor been given up.
    pub requests: BTreeSet<u64>,
    /// The largest id a request had.
    newest: u64,
    armed: bool,
}

#[derive(Default)]
struct Turn {
    attempts: u32,
    ended: bool,
    blocks: Vec<Told>,
    invoked: BTreeSet<String>,
    answered: BTreeSet<String>,
    usage: Usage,
}

struct Told {
    kind: BlockKind,
    text: String,
    whole: Option<Block>,
}

impl Monitor {
    /// Notes an input.
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::StartTurn(turn) => {
                self.turns.insert(turn.id, Turn::default());
            }
            Input::ListModels(id) | Input::ReadQuota(id) => {
                self.questions.insert(*id);
            }
            Input::HttpEnd(id) => {
                self.requests.remove(id);
            }
            Input::HttpFailed(fault) => {
                self.requests.remove(&fault.id);
            }
            Input::TimerFired(_) => self.armed = false,
            _ => {}
        }
    }

    /// Checks an effect.
    ///
    /// # Panics
    /// When it breaks the contract.
    pub fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Http(HttpEffect::Send(id, _)) => {
                assert!(*id > self.newest, "request ids are used once");
                self.newest = *id;
                self.requests.insert(*id);
            }
            Effect::Http(HttpEffect::Cancel(id)) => {
                assert!(self.requests.remove(id), "request {id} is given up and is not open");
            }
            Effect::Event(EventEffect(turn, event)) => {
                self.turns.get_mut(turn).expect("events belong to a turn that was started").event(event);
            }
            Effect::Tool(ToolEffect::Invoke(turn, call)) => {
                let turn = self.turns.get_mut(turn).expect("tools belong to a turn that was started");
                assert!(!turn.ended, "no tool runs for an ended turn");
                assert!(turn.invoked.insert(call.id.clone()), "the call {} runs once", call.id);
                assert!(turn.blocks.iter().any(|told| told.whole == Some(Block::ToolCall(call.clone()))));
            }
            Effect::Catalog(CatalogEffect::Models(id, _) | CatalogEffect::Quota(id, _)) => {
                assert!(self.questions.remove(id), "a question has one answer");
            }
            Effect::Timer(TimerEffect::Set(..)) => self.armed = true,
            Effect::Timer(TimerEffect::Clear(_)) => self.armed = false,
            Effect::Log(_) => {}
        }
    }

    /// What holds between two calls: no request without somebody who waits for it, and a clock for every turn that does.
    pub fn quiet(&self) {
        let waiting = self.open_turns() + self.questions.len();
        assert!(self.requests.len() <= waiting, "{} requests for {waiting} waiting", self.requests.len());
        assert!(self.armed || self.requests.len() <= self.questions.len(), "a turn waits without a deadline");
    }

    /// The whole blocks of a turn.
    pub fn blocks(&self, turn: u64) -> Vec<Block> {
        self.turns[&turn].blocks.iter().filter_map(|told| told.whole.clone()).collect()
    }

    /// Whether a turn had its terminal event.
    pub fn ended(&self, turn: u64) -> bool {
        self.turns[&turn].ended
    }

    /// How many turns had none.
    pub fn open_turns(&self) -> usize {
        self.turns.values().filter(|turn| !turn.ended).count()
    }

    /// How many questions about the provider have no answer.
    pub fn open_questions(&self) -> usize {
        self.questions.len()
    }
}

impl Turn {
    fn event(&mut self, event: &Event) {
        assert!(!self.ended, "nothing comes after the terminal event: {event:?}");
        match event {
            Event::AttemptStarted(attempt) => {
                self.attempts += 1;
                assert_eq!((attempt.number, self.attempts), (1, 1), "the engine begins once");
            }
            Event::BlockStarted(start) => {
                assert_eq!(self.attempts, 1);
                assert_eq!(start.index as usize, self.blocks.len());
                if let BlockKind::ToolCall(head) = &start.kind {
                    assert!(!head.id.is_empty() && self.blocks.iter().all(|told| told.kind != start.kind));
                }
                self.blocks.push(Told { kind: start.kind.clone(), text: String::new(), whole: None });
            }
            Event::TextDelta(delta) | Event::ThinkingDelta(delta) | Event::ToolArgumentsDelta(delta) => {
                let told = &mut self.blocks[delta.index as usize];
                assert!(told.whole.is_none(), "no delta after the end of a block");
                assert!(!delta.text.is_empty());
                let fits = matches!(
                    (event, &told.kind),
                    (Event::TextDelta(_), BlockKind::Text)
                        | (Event::ThinkingDelta(_), BlockKind::Thinking)
                        | (Event::ToolArgumentsDelta(_), BlockKind::ToolCall(_))
                );
                assert!(fits);
                told.text.push_str(&delta.text);
            }
            Event::BlockFinished(end) => {
                let told = &mut self.blocks[end.index as usize];
                assert!(told.whole.is_none());
                match &end.block {
                    Block::Text(text) => assert_eq!(text.text, told.text),
                    Block::Thinking(thinking) => assert_eq!(thinking.text, told.text),
                    Block::ToolCall(call) => assert_eq!(call.arguments, told.text),
                    Block::Image(_) | Block::ToolResult(_) => panic!("no such block in an answer"),
                }
                told.whole = Some(end.block.clone());
            }
            Event::ToolAnswered(result) => {
                assert!(self.invoked.contains(&result.call_id), "a tool answers a call that was made");
                assert!(self.answered.insert(result.call_id.clone()), "a tool answers once");
            }
            Event::Usage(sums) => {
                assert!(sums.model_calls >= self.usage.model_calls && sums.input_tokens >= self.usage.input_tokens);
                self.usage = *sums;
            }
            Event::Notice(_) => {}
            Event::Finished(finished) => {
                assert!(self.blocks.iter().all(|told| told.whole.is_some()), "an answered turn has whole blocks");
                assert_eq!(finished.usage, self.usage, "what a turn cost was told");
                self.ended = true;
            }
            Event::Failed(failed) => {
                let told = self.blocks.iter().any(|told| !told.text.is_empty());
                assert_eq!(failed.error.output_seen, told);
                assert_eq!(failed.error.tools_ran, !self.invoked.is_empty());
                assert_eq!(failed.usage, self.usage, "what a turn cost was told");
                self.ended = true;
            }
            Event::AttemptAbandoned(_) => panic!("the engine does not begin again"),
        }
    }
}
