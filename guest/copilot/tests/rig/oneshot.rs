//! A host around the plugin in its mode `one-shot`.

use super::monitor::Monitor;
use super::setup;
use llm_provider_copilot::{AnyMode, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{EventEffect, SidecarEffect, TimerEffect};
use llm_provider_guest::events::{Event, Failed, Finished, NoticeKind};
use llm_provider_guest::provider::{Input, SidecarBytes, SidecarEnd, SidecarStart, Turn, TurnOptions};
use llm_provider_guest::secrets::Chunk;
use llm_provider_guest::sidecar::{Spec, StopMode};
use llm_provider_guest::sidecar_types::{Exit, Started};
use llm_provider_guest::types::{Block, Message};
use std::collections::BTreeMap;

pub const BYOK: &str = r#"{"mode":"one-shot","model":"stub-model","auth":{"type":"byok","provider":"openai","base-url":"http://127.0.0.1:9/v1","api-key":{"secret":"key"}}}"#;
pub const GITHUB: &str = r#"{"mode":"one-shot","auth":{"type":"github","token":"key"}}"#;

pub fn transcript(name: &str) -> String {
    let path = format!("{}/../../tests/transcripts/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A host around one plugin with one session, number 1.
pub struct Rig {
    pub plugin: AnyMode,
    pub now: u64,
    pub effects: Vec<Effect>,
    pub monitor: Monitor,
    pub timer: Option<u64>,
    pub next_turn: u64,
}

impl Rig {
    pub fn new(config: &str) -> Self {
        let plugin = AnyMode::configure(setup(config)).unwrap();
        assert!(matches!(plugin, AnyMode::OneShot(_)));
        let monitor = Monitor::default();
        let mut rig = Self { plugin, now: 1_000, effects: Vec::new(), monitor, timer: None, next_turn: 1 };
        rig.give(Input::OpenSession(1));
        rig
    }

    pub fn give(&mut self, input: Input) {
        self.monitor.input(&input);
        let mut effects = Vec::new();
        self.plugin.handle(self.now, vec![input], &mut effects);
        for effect in effects {
            self.monitor.effect(&effect);
            match &effect {
                Effect::Timer(TimerEffect::Set(_, after)) => self.timer = Some(self.now + after),
                Effect::Timer(TimerEffect::Clear(_)) => self.timer = None,
                _ => {}
            }
            self.effects.push(effect);
        }
    }

    pub fn ask_in(&mut self, session: u64, history: Vec<Message>, options: TurnOptions) -> u64 {
        let id = self.next_turn;
        self.next_turn += 1;
        self.give(Input::StartTurn(Turn { session, id, history, options }));
        id
    }

    pub fn ask(&mut self, history: Vec<Message>) -> u64 {
        self.ask_in(1, history, TurnOptions::default())
    }

    pub fn started(&mut self, id: u64) {
        self.give(Input::SidecarStarted(SidecarStart { id, started: Started::default() }));
    }

    pub fn output(&mut self, id: u64, data: &[u8]) {
        self.give(Input::SidecarOutput(SidecarBytes { id, data: data.to_vec() }));
    }

    pub fn exited(&mut self, id: u64, exit: Exit) {
        self.give(Input::SidecarExited(SidecarEnd { id, exit }));
    }

    /// Runs the newest process through a recorded output, to an exit with this code and report.
    pub fn play(&mut self, output: &str, code: i32, report: Option<String>) {
        let (id, _) = self.starts().pop().unwrap();
        self.started(id);
        self.output(id, output.as_bytes());
        self.exited(id, Exit { code: Some(code), report, ..Exit::default() });
    }

    pub fn pass(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while let Some(at) = self.timer.filter(|at| *at <= end) {
            self.timer = None;
            self.now = at.max(self.now);
            self.give(Input::TimerFired(1));
        }
        self.now = end;
    }

    pub fn starts(&self) -> Vec<(u64, Spec)> {
        let start = |effect: &Effect| match effect {
            Effect::Sidecar(SidecarEffect::Start(id, spec)) => Some((*id, spec.clone())),
            _ => None,
        };
        self.effects.iter().filter_map(start).collect()
    }

    pub fn settings(&self) -> BTreeMap<String, String> {
        let (_, spec) = self.starts().pop().unwrap();
        spec.settings.into_iter().map(|setting| (setting.name, setting.value)).collect()
    }

    /// What was written to a process.
    pub fn prompt(&self, process: u64) -> String {
        let mut bytes = Vec::new();
        for effect in &self.effects {
            if let Effect::Sidecar(SidecarEffect::Send(id, chunks)) = effect
                && *id == process
            {
                for chunk in chunks {
                    let Chunk::Bytes(more) = chunk else { panic!("no secret is ever written") };
                    bytes.extend_from_slice(more);
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    pub fn killed(&self) -> Vec<u64> {
        let stop = |effect: &Effect| match effect {
            Effect::Sidecar(SidecarEffect::Stop(id, StopMode::Kill)) => Some(*id),
            _ => None,
        };
        self.effects.iter().filter_map(stop).collect()
    }

    pub fn events(&self, turn: u64) -> Vec<Event> {
        let of = |effect: &Effect| match effect {
            Effect::Event(EventEffect(id, event)) if *id == turn => Some(event.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(of).collect()
    }

    pub fn notices(&self, turn: u64) -> Vec<NoticeKind> {
        let of = |event| if let Event::Notice(notice) = event { Some(notice.kind) } else { None };
        self.events(turn).into_iter().filter_map(of).collect()
    }

    pub fn finished(&self, turn: u64) -> Finished {
        match self.events(turn).pop() {
            Some(Event::Finished(finished)) => finished,
            other => panic!("turn {turn} did not finish: {other:?}"),
        }
    }

    pub fn failed(&self, turn: u64) -> Failed {
        match self.events(turn).pop() {
            Some(Event::Failed(failed)) => failed,
            other => panic!("turn {turn} did not fail: {other:?}"),
        }
    }

    pub fn text(&self, turn: u64) -> String {
        let text = |block| if let Block::Text(text) = block { Some(text.text) } else { None };
        self.monitor.blocks(turn).into_iter().filter_map(text).collect()
    }
}
