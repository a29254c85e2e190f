//! Holds the plugin to the contract of the world.

use llm_provider_copilot::Effect;
use llm_provider_guest::effects::{EventEffect, HttpEffect, PermissionEffect, SidecarEffect, ToolEffect};
use llm_provider_guest::events::{BlockKind, Event};
use llm_provider_guest::provider::Input;
use llm_provider_guest::types::Block;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Monitor {
    turns: BTreeMap<u64, Turn>,
    running: BTreeSet<u64>,
    started: BTreeSet<u64>,
    sent: BTreeSet<u64>,
    under_way: BTreeSet<u64>,
}

#[derive(Default)]
struct Turn {
    attempts: u32,
    attempting: bool,
    ended: bool,
    blocks: Vec<Told>,
}

struct Told {
    kind: BlockKind,
    text: String,
    whole: Option<Block>,
}

impl Monitor {
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::StartTurn(turn) => {
                self.turns.insert(turn.id, Turn::default());
            }
            Input::SidecarStarted(start) => {
                self.running.insert(start.id);
            }
            Input::SidecarExited(end) => {
                self.running.remove(&end.id);
            }
            Input::HttpEnd(id) => {
                self.under_way.remove(id);
            }
            Input::HttpFailed(fault) => {
                self.under_way.remove(&fault.id);
            }
            _ => {}
        }
    }

    pub fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Sidecar(SidecarEffect::Start(id, _)) => {
                assert!(self.started.insert(*id), "sidecar ids are used once")
            }
            Effect::Sidecar(SidecarEffect::Send(id, _) | SidecarEffect::CloseInput(id)) => {
                assert!(self.running.contains(id), "nothing is written to a sidecar that does not run");
            }
            Effect::Sidecar(SidecarEffect::Stop(id, _)) => {
                self.running.remove(id);
            }
            Effect::Event(EventEffect(turn, event)) => {
                self.turns.get_mut(turn).expect("events belong to a turn that was started").event(event);
            }
            Effect::Tool(ToolEffect::Invoke(turn, _)) => assert!(!self.turns[turn].ended),
            Effect::Permission(PermissionEffect::Ask(turn, _)) => assert!(!self.turns[turn].ended),
            Effect::Http(HttpEffect::Send(id, _)) => {
                assert!(self.sent.insert(*id), "request ids are used once");
                self.under_way.insert(*id);
            }
            Effect::Http(HttpEffect::Cancel(id)) => {
                assert!(self.under_way.remove(id), "only what is under way is given up, once");
            }
            Effect::Timer(_) | Effect::Log(_) | Effect::Catalog(_) => {}
        }
    }

    pub fn blocks(&self, turn: u64) -> Vec<Block> {
        self.turns[&turn].blocks.iter().filter_map(|told| told.whole.clone()).collect()
    }

    pub fn ended(&self, turn: u64) -> bool {
        self.turns[&turn].ended
    }

    pub fn open_turns(&self) -> usize {
        self.turns.values().filter(|turn| !turn.ended).count()
    }
}

impl Turn {
    fn event(&mut self, event: &Event) {
        assert!(!self.ended, "nothing comes after the terminal event: {event:?}");
        match event {
            Event::AttemptStarted(attempt) => {
                assert!(!self.attempting);
                self.attempts += 1;
                assert_eq!(attempt.number, self.attempts);
                self.attempting = true;
                self.blocks.clear();
            }
            Event::AttemptAbandoned(_) => {
                assert!(self.attempting);
                self.attempting = false;
                self.blocks.clear();
            }
            Event::BlockStarted(start) => {
                assert!(self.attempting);
                assert_eq!(start.index as usize, self.blocks.len());
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
            Event::Finished(_) => {
                assert!(self.blocks.iter().all(|told| told.whole.is_some()), "an answered turn has whole blocks");
                self.ended = true;
            }
            Event::Failed(_) => self.ended = true,
            Event::ToolAnswered(result) => {
                let called =
                    |told: &Told| matches!(&told.whole, Some(Block::ToolCall(call)) if call.id == result.call_id);
                assert!(self.blocks.iter().any(called), "a tool answers a call that was told");
            }
            Event::Usage(_) | Event::Notice(_) => {}
        }
    }
}
