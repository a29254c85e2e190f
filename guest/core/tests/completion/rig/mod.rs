//! Drives the engine natively: a host that keeps to the contract, and a monitor of the engine's side of it.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod monitor;
pub mod toy;

use llm_provider_core::completion::{Completions, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{CatalogEffect, EventEffect, HttpEffect, TimerEffect, ToolEffect};
use llm_provider_guest::errors::Error;
use llm_provider_guest::events::{Event, Failed, Finished, NoticeKind};
use llm_provider_guest::http::Request;
use llm_provider_guest::http_types::{Failure, FailureKind, Response, ResponseHeader};
use llm_provider_guest::provider::{HttpBytes, HttpFault, HttpHead, Input, Setup, ToolAnswer, Turn, TurnOptions};
use llm_provider_guest::secrets::Chunk;
use llm_provider_guest::types::{Block, Message, Role, TextBlock, Tool, ToolCall, ToolOwner, ToolResult};
use monitor::Monitor;
use serde_json::{Value, json};
use toy::Toy;

/// How long the toy may be silent, in milliseconds.
pub const TIMEOUT: u64 = 60_000;

/// A host around one plugin with one session, number 1.
pub struct Rig {
    pub plugin: Completions<Toy>,
    pub now: u64,
    pub effects: Vec<Effect>,
    pub monitor: Monitor,
    pub sent: Vec<(u64, Request)>,
    pub invoked: Vec<(u64, ToolCall)>,
    pub timer: Option<u64>,
    pub next_turn: u64,
}

pub fn setup(config: &str) -> Setup {
    Setup { config: config.into(), secrets: Vec::new(), seed: 42 }
}

pub fn said(role: Role, text: &str) -> Message {
    Message { role, blocks: vec![Block::Text(TextBlock { text: text.into() })] }
}

pub fn user(text: &str) -> Message {
    said(Role::User, text)
}

pub fn assistant(text: &str) -> Message {
    said(Role::Assistant, text)
}

pub fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
}

pub fn calls(ids: &[&str]) -> Message {
    let blocks = ids.iter().map(|id| Block::ToolCall(call(id, "look", "{}"))).collect();
    Message { role: Role::Assistant, blocks }
}

pub fn results(ids: &[&str]) -> Message {
    let result = |id: &&str| ToolResult { call_id: (*id).into(), content: "seen".into(), is_error: false };
    Message { role: Role::User, blocks: ids.iter().map(|id| Block::ToolResult(result(id))).collect() }
}

pub fn tool(name: &str) -> Tool {
    Tool { name: name.into(), description: "looks".into(), parameters: r#"{"type":"object"}"#.into() }
}

pub fn tools(owner: ToolOwner) -> TurnOptions {
    TurnOptions { tools: vec![tool("look"), tool("listen")], tool_owner: owner, ..TurnOptions::default() }
}

/// Events of a stream as bytes.
pub fn stream(events: &[Value]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

/// An answer that says one text.
pub fn saying(text: &str) -> Vec<Value> {
    vec![
        json!({"text": 0}),
        json!({"more": [0, text]}),
        json!({"close": [0, null]}),
        json!({"usage": [10, 2]}),
        json!({"stopped": "stop"}),
    ]
}

/// An answer that calls `look` under these names.
pub fn calling(ids: &[&str]) -> Vec<Value> {
    let mut events = Vec::new();
    for (key, id) in ids.iter().enumerate() {
        events.push(json!({"call": [key, id, "look"]}));
        events.push(json!({"more": [key, format!("{{\"at\":{key}}}")]}));
        events.push(json!({"close": [key, null]}));
    }
    events.extend([json!({"usage": [7, 3]}), json!({"stopped": "calls"})]);
    events
}

pub fn header(name: &str, value: &str) -> ResponseHeader {
    ResponseHeader { name: name.into(), value: value.into() }
}

impl Default for Rig {
    fn default() -> Self {
        Self::new(&json!({"model": "toy-1", "timeout": TIMEOUT}).to_string())
    }
}

impl Rig {
    pub fn new(config: &str) -> Self {
        let mut rig = Self {
            plugin: Completions::configure(setup(config)).unwrap(),
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

    pub fn give(&mut self, input: Input) {
        self.give_all(vec![input]);
    }

    // The endpoint's side.

    pub fn head(&mut self, id: u64, status: u16, headers: Vec<ResponseHeader>) {
        self.give(Input::HttpResponse(HttpHead { id, response: Response { status, headers } }));
    }

    /// The head of a streamed answer.
    pub fn accept(&mut self, id: u64) {
        let kind = header("content-type", "text/event-stream; charset=utf-8");
        self.head(id, 200, vec![kind, header("toy-request", &format!("toy-{id}"))]);
    }

    pub fn chunk(&mut self, id: u64, data: &[u8]) {
        self.give(Input::HttpChunk(HttpBytes { id, data: data.to_vec() }));
    }

    pub fn events_of(&mut self, id: u64, events: &[Value]) {
        self.chunk(id, &stream(events));
    }

    pub fn end(&mut self, id: u64) {
        self.give(Input::HttpEnd(id));
    }

    pub fn broken(&mut self, id: u64, kind: FailureKind, request_sent: bool) {
        let failure = Failure { kind, message: "it failed".into(), request_sent };
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

    pub fn ask_in(&mut self, session: u64, history: Vec<Message>, options: TurnOptions) -> u64 {
        let id = self.next_turn;
        self.next_turn += 1;
        self.give(Input::StartTurn(Turn { session, id, history, options }));
        id
    }

    pub fn ask_with(&mut self, options: TurnOptions) -> u64 {
        self.ask_in(1, vec![user("hello")], options)
    }

    pub fn ask(&mut self) -> u64 {
        self.ask_with(TurnOptions::default())
    }

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
        let body = self.sent.last().expect("a request was sent").1.body.iter().flat_map(|chunk| match chunk {
            Chunk::Bytes(bytes) => bytes.clone(),
            Chunk::Secret(_) => panic!("toys have no secrets"),
        });
        serde_json::from_slice(&body.collect::<Vec<u8>>()).unwrap()
    }

    pub fn events(&self, turn: u64) -> Vec<Event> {
        let of = |effect: &Effect| match effect {
            Effect::Event(EventEffect(id, event)) if *id == turn => Some(event.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(of).collect()
    }

    pub fn notices(&self, turn: u64) -> Vec<(NoticeKind, String)> {
        let of = |event| match event {
            Event::Notice(notice) => Some((notice.kind, notice.message)),
            _ => None,
        };
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

    /// What decides whether the failed turn may be repeated: request sent, output seen, tools ran.
    pub fn reach(&self, turn: u64) -> (bool, bool, bool) {
        let error = self.failed(turn).error;
        (error.request_sent, error.output_seen, error.tools_ran)
    }

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

    pub fn called(&self) -> Vec<&str> {
        self.invoked.iter().map(|(_, call)| call.id.as_str()).collect()
    }
}
