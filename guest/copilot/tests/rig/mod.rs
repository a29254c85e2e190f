//! Drives the plugin natively: a host that keeps to the contract, and a monitor of the plugin's side of it.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod monitor;
pub mod oneshot;
pub mod replay;

use llm_provider_copilot::{Copilot, Effect};
use llm_provider_core::frame::Decoder;
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{EventEffect, HttpEffect, PermissionEffect, SidecarEffect, TimerEffect, ToolEffect};
use llm_provider_guest::events::{Event, Failed, Finished, NoticeKind};
use llm_provider_guest::http::{Request, RequestId};
use llm_provider_guest::http_types::{Failure, FailureKind, Response, ResponseHeader};
use llm_provider_guest::provider::{
    HttpBytes, HttpFault, HttpHead, Input, PermissionAnswer, PermissionDecision, Setup, SidecarBytes, SidecarEnd,
    SidecarStart, ToolAnswer, Turn, TurnOptions,
};
use llm_provider_guest::secrets::{Chunk, SecretInfo};
use llm_provider_guest::sidecar_types::{Exit, SidecarId, Started};
use llm_provider_guest::types::{Block, Message, Role, TextBlock, ToolCall, ToolResult};
use monitor::Monitor;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The value of the one secret, as it would stand in JSON.
pub const SECRET: &str = "s3cr\\\"et";

/// The CLI sends its requests itself, as in the transcripts.
pub const BYOK: &str = r#"{"egress":"direct","model":"stub-model","auth":{"type":"byok","provider":"openai","base-url":"http://127.0.0.1:9/v1","api-key":{"secret":"key"}}}"#;
/// The host sends them.
pub const HOSTED: &str = r#"{"egress":"host","model":"stub-model","auth":{"type":"byok","provider":"openai","base-url":"http://127.0.0.1:9/v1","api-key":{"secret":"key"}}}"#;
pub const GITHUB: &str = r#"{"auth":{"type":"github","token":"key"}}"#;

pub fn setup(config: &str) -> Setup {
    let info = SecretInfo { name: "key".into(), raw_length: 7, json_length: 8 };
    Setup { config: config.into(), secrets: vec![info], seed: 42 }
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

pub fn options() -> TurnOptions {
    TurnOptions { system: Some("S".into()), ..TurnOptions::default() }
}

/// A request of the plugin that waits for its answer.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: u64,
    pub method: String,
    pub params: Value,
}

/// A host around one plugin with one session, number 1.
pub struct Rig {
    pub plugin: Copilot,
    pub now: u64,
    pub effects: Vec<Effect>,
    pub monitor: Monitor,
    pub asked: Vec<Asked>,
    pub all_asked: Vec<Asked>,
    /// Whether `session.delete` is for the test to answer. Otherwise the CLI is one that does not know it.
    pub takes_deletes: bool,
    /// Names of `session.delete`, in order.
    pub deleted: Vec<String>,
    pub answers: Vec<Value>,
    pub invoked: Vec<(u64, ToolCall)>,
    pub timer: Option<u64>,
    pub sidecar: Option<SidecarId>,
    pub starts: u32,
    /// The plugin has asked for the end of the sidecar, which has not come yet.
    pub stopping: bool,
    pub permissions: Vec<(u64, String)>,
    pub next_turn: u64,
    /// Requests that the plugin sent and that have not ended.
    pub http: BTreeMap<RequestId, Request>,
    out: Decoder,
}

impl Rig {
    pub fn new(config: &str) -> Self {
        Self::seeded(config, 42)
    }

    pub fn seeded(config: &str, seed: u64) -> Self {
        let mut rig = Self {
            plugin: Copilot::configure(Setup { seed, ..setup(config) }).unwrap(),
            now: 1_000,
            effects: Vec::new(),
            monitor: Monitor::default(),
            asked: Vec::new(),
            all_asked: Vec::new(),
            takes_deletes: false,
            deleted: Vec::new(),
            answers: Vec::new(),
            invoked: Vec::new(),
            timer: None,
            sidecar: None,
            starts: 0,
            stopping: false,
            permissions: Vec::new(),
            next_turn: 1,
            http: BTreeMap::new(),
            out: Decoder::default(),
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
            self.effect(&effect);
            self.effects.push(effect);
        }
        self.refuse_deletes();
    }

    fn refuse_deletes(&mut self) {
        let delete = |asked: &Asked| asked.method == "session.delete";
        while let Some(at) = self.asked.iter().position(delete).filter(|_| !self.takes_deletes) {
            let id = self.asked.remove(at).id;
            let error = json!({"code": -32601, "message": "Unhandled method session.delete"});
            self.frame(&json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string());
        }
    }

    pub fn give(&mut self, input: Input) {
        self.give_all(vec![input]);
    }

    fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Sidecar(SidecarEffect::Start(id, _)) => {
                self.sidecar = Some(*id);
                self.starts += 1;
                self.stopping = false;
                self.out = Decoder::default();
                self.asked.clear();
            }
            Effect::Sidecar(SidecarEffect::Send(_, chunks)) => self.written(chunks),
            Effect::Timer(TimerEffect::Set(_, after)) => self.timer = Some(self.now + after),
            Effect::Timer(TimerEffect::Clear(_)) => self.timer = None,
            Effect::Tool(ToolEffect::Invoke(turn, call)) => self.invoked.push((*turn, call.clone())),
            Effect::Permission(PermissionEffect::Ask(turn, request)) => {
                self.permissions.push((*turn, request.id.clone()))
            }
            Effect::Http(HttpEffect::Send(id, request)) => {
                self.http.insert(*id, request.clone());
            }
            Effect::Http(HttpEffect::Cancel(id)) => {
                self.http.remove(id);
            }
            Effect::Sidecar(SidecarEffect::Stop(..)) => self.stopping = true,
            Effect::Sidecar(SidecarEffect::CloseInput(_)) | Effect::Event(_) | Effect::Log(_) | Effect::Catalog(_) => {}
        }
    }

    fn written(&mut self, chunks: &[Chunk]) {
        let bytes: Vec<u8> = chunks
            .iter()
            .flat_map(|chunk| match chunk {
                Chunk::Bytes(bytes) => bytes.clone(),
                Chunk::Secret(_) => SECRET.as_bytes().to_vec(),
            })
            .collect();
        let mut rest = bytes.as_slice();
        let mut count = 0;
        while let Some(body) = self.out.next(&mut rest).expect("the plugin frames what it writes") {
            let value: Value = serde_json::from_slice(body).expect("the plugin writes JSON");
            count += 1;
            match value.get("method") {
                Some(method) => {
                    let asked = Asked {
                        id: value["id"].as_u64().unwrap(),
                        method: method.as_str().unwrap().to_owned(),
                        params: value["params"].clone(),
                    };
                    if asked.method == "session.delete" {
                        self.deleted.push(asked.params["sessionId"].as_str().unwrap().to_owned());
                    }
                    self.asked.push(asked.clone());
                    self.all_asked.push(asked);
                }
                None => self.answers.push(value),
            }
        }
        assert_eq!(count, 1, "one frame a write, and the length counts the secret");
    }

    // The CLI's side.

    pub fn started(&mut self) {
        let started = Started { version: "1.0.102".into(), working_directory: "/w".into(), ..Started::default() };
        let id = self.sidecar.expect("a start was asked for");
        self.give(Input::SidecarStarted(SidecarStart { id, started }));
    }

    pub fn output(&mut self, data: &[u8]) {
        if let Some(id) = self.sidecar {
            self.give(Input::SidecarOutput(SidecarBytes { id, data: data.to_vec() }));
        }
    }

    pub fn exited(&mut self, code: i32, stderr: &str) {
        let id = self.sidecar.take().expect("a sidecar runs");
        let exit = Exit { code: Some(code), stderr_tail: stderr.into(), ..Exit::default() };
        self.give(Input::SidecarExited(SidecarEnd { id, exit }));
    }

    pub fn frame(&mut self, body: &str) {
        self.output(&frame(body));
    }

    /// Takes the oldest open request, which must be this one.
    pub fn take(&mut self, method: &str) -> Asked {
        assert!(!self.asked.is_empty(), "{method} was not asked; so far: {:?}", self.methods());
        let asked = self.asked.remove(0);
        assert_eq!(asked.method, method);
        asked
    }

    pub fn answer(&mut self, method: &str, result: Value) -> Asked {
        let asked = self.take(method);
        self.frame(&json!({"jsonrpc": "2.0", "id": asked.id, "result": result}).to_string());
        asked
    }

    pub fn refuse(&mut self, method: &str, code: i64, message: &str) -> Asked {
        let asked = self.take(method);
        let error = json!({"code": code, "message": message});
        self.frame(&json!({"jsonrpc": "2.0", "id": asked.id, "error": error}).to_string());
        asked
    }

    pub fn connect(&mut self) {
        self.started();
        self.answer("connect", json!({"ok": true, "protocolVersion": 3, "version": "1.0.102"}));
    }

    /// Answers everything up to the prompt and gives its name and that of the session.
    pub fn open(&mut self) -> (String, String) {
        let create = self.answer("session.create", json!({}));
        self.answer("session.options.update", json!({"success": true}));
        let name = create.params["sessionId"].as_str().unwrap().to_owned();
        (name, self.prompt_taken())
    }

    pub fn prompt_taken(&mut self) -> String {
        let message_id = format!("sent-{}", self.all_asked.len());
        self.answer("session.send", json!({"messageId": message_id}));
        message_id
    }

    /// An event, written as the CLI writes them.
    pub fn event(&mut self, name: &str, kind: &str, data: Value) {
        self.frame(&event(name, kind, &data));
    }

    /// A whole streamed answer.
    pub fn reply(&mut self, name: &str, message_id: &str, text: &str) {
        let id = format!("m-{message_id}");
        self.event(name, "user.message", json!({"messageId": message_id, "content": "?"}));
        self.event(name, "assistant.turn_start", json!({"turnId": "0"}));
        self.event(name, "assistant.message_delta", json!({"messageId": id, "deltaContent": text}));
        self.event(name, "assistant.usage", json!({"inputTokens": 10, "outputTokens": 2, "finishReason": "stop"}));
        let message = json!({"messageId": id, "originatingMessageId": message_id, "content": text, "toolRequests": []});
        self.event(name, "assistant.message", message);
        self.event(name, "assistant.turn_end", json!({"turnId": "0"}));
        self.event(name, "session.idle", json!({"mode": "interactive"}));
    }

    // The host's side of HTTP.

    pub fn http_head(&mut self, id: RequestId, status: u16, headers: &[(&str, &str)]) {
        let header = |(name, value): &(&str, &str)| ResponseHeader { name: (*name).into(), value: (*value).into() };
        let response = Response { status, headers: headers.iter().map(header).collect() };
        self.give(Input::HttpResponse(HttpHead { id, response }));
    }

    pub fn http_chunk(&mut self, id: RequestId, data: &[u8]) {
        self.give(Input::HttpChunk(HttpBytes { id, data: data.to_vec() }));
    }

    pub fn http_failed(&mut self, id: RequestId, kind: FailureKind, message: &str) {
        self.http.remove(&id);
        // Only of a quota is it known when there is more.
        let retry_after = (kind == FailureKind::Exhausted).then_some(90_000);
        let failure = Failure { kind, message: message.into(), request_sent: false, retry_after };
        self.give(Input::HttpFailed(HttpFault { id, failure }));
    }

    // The owner's side.

    pub fn ask_with(&mut self, history: Vec<Message>, options: TurnOptions) -> u64 {
        let id = self.next_turn;
        self.next_turn += 1;
        self.give(Input::StartTurn(Turn { session: 1, id, history, options }));
        id
    }

    pub fn ask(&mut self, history: Vec<Message>) -> u64 {
        self.ask_with(history, options())
    }

    pub fn tool_result(&mut self, turn: u64, call_id: &str, content: &str, is_error: bool) {
        let result = ToolResult { call_id: call_id.into(), content: content.into(), is_error };
        self.give(Input::ToolResult(ToolAnswer { turn, result }));
    }

    pub fn decide(&mut self, turn: u64, id: &str, decision: PermissionDecision) {
        self.give(Input::PermissionDecided(PermissionAnswer { turn, id: id.into(), decision }));
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

    pub fn methods(&self) -> Vec<&str> {
        self.all_asked.iter().map(|asked| asked.method.as_str()).collect()
    }

    pub fn events(&self, turn: u64) -> Vec<Event> {
        let of = |effect: &Effect| match effect {
            Effect::Event(EventEffect(id, event)) if *id == turn => Some(event.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(of).collect()
    }

    /// What was decided about the turn's session.
    pub fn decisions(&self, turn: u64) -> Vec<NoticeKind> {
        let decides = |kind: &NoticeKind| {
            matches!(kind, NoticeKind::Opened | NoticeKind::Continued | NoticeKind::Resumed | NoticeKind::ReSeeded)
        };
        self.events(turn)
            .into_iter()
            .filter_map(|event| match event {
                Event::Notice(notice) if decides(&notice.kind) => Some(notice.kind),
                _ => None,
            })
            .collect()
    }

    /// What is out of the ordinary: the plain decisions about sessions are not.
    pub fn notices(&self, turn: u64) -> Vec<NoticeKind> {
        let of = |event: Event| match event {
            Event::Notice(notice) if !matches!(notice.kind, NoticeKind::Opened | NoticeKind::Continued) => {
                Some(notice.kind)
            }
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

    /// The blocks of the last attempt of a turn, as the events tell them.
    pub fn blocks(&self, turn: u64) -> Vec<Block> {
        self.monitor.blocks(turn)
    }

    /// The text of the last attempt.
    pub fn text(&self, turn: u64) -> String {
        let text = |block: Block| match block {
            Block::Text(text) => Some(text.text),
            _ => None,
        };
        self.blocks(turn).into_iter().filter_map(text).collect()
    }
}

pub fn frame(body: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub fn event(name: &str, kind: &str, data: &Value) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"session.event","params":{{"sessionId":"{name}","event":{{"type":"{kind}","data":{data},"ephemeral":true,"id":"72f52122-2b14-4c09-8608-642b3496b87a","timestamp":"2026-11-22T12:07:42.204Z","parentId":"d9f509e0-e935-4e90-8907-59dcd6c70338"}}}}}}"#
    )
}
