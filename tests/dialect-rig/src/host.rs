//! A host around one plugin that keeps to the contract.

use crate::monitor::Monitor;
use crate::say::{header, text, user};
use crate::wire;
use llm_provider_core::completion::{Completions, Dialect, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{CatalogEffect, EventEffect, HttpEffect, TimerEffect, ToolEffect};
use llm_provider_guest::errors::Error;
use llm_provider_guest::events::{Event, Failed, Finished, NoticeKind};
use llm_provider_guest::http::Request;
use llm_provider_guest::http_types::{Failure, FailureKind, Response, ResponseHeader};
use llm_provider_guest::provider::{HttpBytes, HttpFault, HttpHead, Input, Setup, ToolAnswer, Turn, TurnOptions};
use llm_provider_guest::types::{Block, Message, ToolCall, ToolResult};
use serde_json::Value;

/// A dialect with a configuration to test it with.
pub trait Preset: Dialect {
    /// The configuration.
    const CONFIG: &'static str;
}

/// A host around one plugin with one session, number 1.
pub struct Host<D: Dialect> {
    /// The plugin.
    pub plugin: Completions<D>,
    /// Milliseconds since the beginning.
    pub now: u64,
    /// Everything that it asked for so far.
    pub effects: Vec<Effect>,
    /// Whether it may.
    pub monitor: Monitor,
    /// Its requests.
    pub sent: Vec<(u64, Request)>,
    /// Its calls of tools, each with its turn.
    pub invoked: Vec<(u64, ToolCall)>,
    /// When its timer is due.
    pub timer: Option<u64>,
    /// The id of the next turn.
    pub next_turn: u64,
}

impl<D: Preset> Default for Host<D> {
    fn default() -> Self {
        Self::new(D::CONFIG)
    }
}

impl<D: Dialect> Host<D> {
    /// A plugin in this configuration, with the secret `key` granted.
    pub fn new(config: &str) -> Self {
        let setup = Setup { config: config.into(), secrets: crate::secrets(), seed: 42 };
        let mut rig = Self {
            plugin: Completions::configure(setup).unwrap(),
            now: 1_000,
            effects: Vec::new(),
            monitor: Monitor::default(),
            sent: Vec::new(),
            invoked: Vec::new(),
            timer: None,
            next_turn: 1,
        };
        rig.give(Input::OpenSession(1));
        rig
    }

    /// Hands over inputs and takes the effects.
    pub fn give_all(&mut self, inputs: Vec<Input>) {
        for input in &inputs {
            self.monitor.input(input);
        }
        let mut effects = Vec::new();
        self.plugin.handle(self.now, inputs, &mut effects);
        for effect in effects {
            self.monitor.effect(&effect);
            match &effect {
                Effect::Http(HttpEffect::Send(id, request)) => self.sent.push((*id, request.clone())),
                Effect::Timer(TimerEffect::Set(_, after)) => self.timer = Some(self.now.saturating_add(*after)),
                Effect::Timer(TimerEffect::Clear(_)) => self.timer = None,
                Effect::Tool(ToolEffect::Invoke(turn, call)) => self.invoked.push((*turn, call.clone())),
                _ => {}
            }
            self.effects.push(effect);
        }
        self.monitor.quiet();
    }

    /// Hands over one input.
    pub fn give(&mut self, input: Input) {
        self.give_all(vec![input]);
    }

    /// Does something; gives what the plugin asks for meanwhile.
    pub fn step(&mut self, does: impl FnOnce(&mut Self)) -> Vec<Effect> {
        let before = self.effects.len();
        does(self);
        self.effects[before..].to_vec()
    }

    // The endpoint's side.

    /// A whole response, and what the plugin asks for meanwhile.
    pub fn respond(&mut self, id: u64, status: u16, headers: &[(&str, &str)], body: &str) -> Vec<Effect> {
        self.step(|host| {
            host.head(id, status, headers.iter().map(|(name, value)| header(name, value)).collect());
            host.chunk(id, body.as_bytes());
            host.end(id);
        })
    }

    /// The head of a response.
    pub fn head(&mut self, id: u64, status: u16, headers: Vec<ResponseHeader>) {
        self.give(Input::HttpResponse(HttpHead { id, response: Response { status, headers } }));
    }

    /// The head of a streamed answer.
    pub fn accept(&mut self, id: u64) {
        let kind = header("content-type", "text/event-stream; charset=utf-8");
        self.head(id, 200, vec![kind, header("toy-request", &format!("toy-{id}"))]);
    }

    /// More of a response's body.
    pub fn chunk(&mut self, id: u64, data: &[u8]) {
        self.give(Input::HttpChunk(HttpBytes { id, data: data.to_vec() }));
    }

    /// Events of a stream.
    pub fn events_of(&mut self, id: u64, events: &[Value]) {
        self.chunk(id, &wire::stream(events));
    }

    /// The end of a response.
    pub fn end(&mut self, id: u64) {
        self.give(Input::HttpEnd(id));
    }

    /// The failure of a request.
    pub fn broken(&mut self, id: u64, kind: FailureKind, request_sent: bool) {
        let failure = Failure { kind, message: "it failed".into(), request_sent, retry_after: None };
        self.give(Input::HttpFailed(HttpFault { id, failure }));
    }

    /// The refusal of a request because a quota is used up.
    pub fn exhausted(&mut self, id: u64, retry_after: Option<u64>) {
        let message = "the tenant's quota of http-requests is used up: 2 of 2".into();
        let failure = Failure { kind: FailureKind::Exhausted, message, request_sent: false, retry_after };
        self.give(Input::HttpFailed(HttpFault { id, failure }));
    }

    /// A whole streamed answer to the newest request.
    pub fn answer(&mut self, events: &[Value]) {
        let id = self.newest();
        self.accept(id);
        self.events_of(id, events);
        self.end(id);
    }

    /// A whole response that is none to the newest request.
    pub fn refuse(&mut self, status: u16, headers: Vec<ResponseHeader>, body: &str) {
        let id = self.newest();
        self.head(id, status, headers);
        self.chunk(id, body.as_bytes());
        self.end(id);
    }

    // The owner's side.

    /// Starts a turn; gives its id.
    pub fn ask_in(&mut self, session: u64, history: Vec<Message>, options: TurnOptions) -> u64 {
        let id = self.next_turn;
        self.next_turn += 1;
        self.give(Input::StartTurn(Turn { session, id, history, options }));
        id
    }

    /// Starts a turn that says hello, with options.
    pub fn ask_with(&mut self, options: TurnOptions) -> u64 {
        self.ask_in(1, vec![user(vec![text("hello")])], options)
    }

    /// Starts a turn that says hello.
    pub fn ask(&mut self) -> u64 {
        self.ask_with(TurnOptions::default())
    }

    /// A tool of a turn has answered.
    pub fn tool_result(&mut self, turn: u64, call_id: &str, content: &str) {
        let result = ToolResult { call_id: call_id.into(), content: content.into(), is_error: false };
        self.give(Input::ToolResult(ToolAnswer { turn, result }));
    }

    /// Lets time pass; the timer fires when it is due.
    pub fn pass(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while let Some(at) = self.timer.filter(|at| *at <= end) {
            self.timer = None;
            self.now = at.max(self.now);
            self.give(Input::TimerFired(1));
        }
        self.now = end;
    }

    // What came of it.

    /// The newest request.
    pub fn newest(&self) -> u64 {
        self.sent.last().expect("a request was sent").0
    }

    /// The body of the newest request.
    pub fn asked(&self) -> Value {
        wire::body(&self.sent.last().expect("a request was sent").1)
    }

    /// The events of a turn.
    pub fn events(&self, turn: u64) -> Vec<Event> {
        let of = |effect: &Effect| match effect {
            Effect::Event(EventEffect(id, event)) if *id == turn => Some(event.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(of).collect()
    }

    /// The notices of a turn.
    pub fn notices(&self, turn: u64) -> Vec<(NoticeKind, String)> {
        let of = |event| match event {
            Event::Notice(notice) => Some((notice.kind, notice.message)),
            _ => None,
        };
        self.events(turn).into_iter().filter_map(of).collect()
    }

    /// How a turn ended well.
    ///
    /// # Panics
    /// When it did not.
    pub fn finished(&self, turn: u64) -> Finished {
        match self.events(turn).pop() {
            Some(Event::Finished(finished)) => finished,
            other => panic!("turn {turn} did not finish: {other:?}"),
        }
    }

    /// How a turn failed.
    ///
    /// # Panics
    /// When it did not.
    pub fn failed(&self, turn: u64) -> Failed {
        match self.events(turn).pop() {
            Some(Event::Failed(failed)) => failed,
            other => panic!("turn {turn} did not fail: {other:?}"),
        }
    }

    /// What decides whether the failed turn may be repeated: request sent, output seen, tools ran.
    pub fn reach(&self, turn: u64) -> (bool, bool, bool) {
        let error = self.failed(turn).error;
        (error.request_sent, error.output_seen, error.tools_ran)
    }

    /// The text of a turn.
    pub fn text(&self, turn: u64) -> String {
        let text = |block: Block| match block {
            Block::Text(text) => Some(text.text),
            _ => None,
        };
        self.monitor.blocks(turn).into_iter().filter_map(text).collect()
    }

    /// The requests that were given up, in order.
    pub fn given_up(&self) -> Vec<u64> {
        let of = |effect: &Effect| match effect {
            Effect::Http(HttpEffect::Cancel(id)) => Some(*id),
            _ => None,
        };
        self.effects.iter().filter_map(of).collect()
    }

    /// The answer to a question about the models.
    pub fn models(&self, question: u64) -> Result<Vec<String>, Error> {
        let of = |effect: &Effect| match effect {
            Effect::Catalog(CatalogEffect::Models(id, models)) if *id == question => Some(models.clone()),
            _ => None,
        };
        let models = self.effects.iter().find_map(of).expect("the question was answered");
        models.map(|models| models.into_iter().map(|model| model.id).collect())
    }

    /// The ids of the calls of tools.
    pub fn called(&self) -> Vec<&str> {
        self.invoked.iter().map(|(_, call)| call.id.as_str()).collect()
    }
}
