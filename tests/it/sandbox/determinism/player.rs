//! Plays a recorded conversation with the CLI against a plugin, and keeps every call.
//!
//! A transcript holds the requests of another client and the answers of the real CLI. The other client's sends become
//! turns and its aborts become cancels. Answers wait until the plugin has made the request they belong to; a request the
//! other client did not make is answered with an empty success.

use llm_provider_host::wit::provider::{Input, SidecarBytes, SidecarStart, ToolAnswer, Turn, TurnOptions};
use llm_provider_host::wit::secrets::Chunk;
use llm_provider_host::wit::sidecar_types::Started;
use llm_provider_host::wit::types::{Tool, ToolResult};
use llm_provider_host::{Effect, Event, Message, Role, user_message};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Something that takes inputs and gives effects.
pub(crate) trait Machine {
    fn handle(&mut self, now: u64, inputs: &[Input]) -> Vec<Effect>;
}

/// One call of the plugin.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) now: u64,
    pub(crate) inputs: Vec<Input>,
    pub(crate) effects: Vec<Effect>,
}

struct Line {
    from_cli: bool,
    message: Value,
}

struct Player<'a, M> {
    machine: &'a mut M,
    tape: Vec<Call>,
    now: u64,
    sidecar: u64,
    /// Requests of the plugin without an answer: id, method, session.
    asked: Vec<(u64, String, Option<String>)>,
    /// From the other client's request ids to the plugin's.
    ids: BTreeMap<u64, u64>,
    /// From its session names to the plugin's.
    names: BTreeMap<String, String>,
    history: Vec<Message>,
    turns: u64,
}

/// Plays a transcript.
pub(crate) fn play<M: Machine>(path: &Path, machine: &mut M) -> Vec<Call> {
    let lines = read(path);
    let tools = tools(&lines);
    let mut player = Player {
        machine,
        tape: Vec::new(),
        now: 1,
        sidecar: 0,
        asked: Vec::new(),
        ids: BTreeMap::new(),
        names: BTreeMap::new(),
        history: Vec::new(),
        turns: 0,
    };
    player.give(vec![Input::OpenSession(1)]);
    for (at, line) in lines.iter().enumerate() {
        if line.from_cli { player.answer(&line.message) } else { player.client(&line.message, &lines[at..], &tools) }
    }
    player.give(vec![Input::CloseSession(1), Input::Shutdown]);
    player.tape
}

fn read(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).expect("a transcript");
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        value["msg"].is_object().then(|| Line { from_cli: value["dir"] == "<", message: value["msg"].clone() })
    };
    text.lines().filter_map(line).collect()
}

fn tools(lines: &[Line]) -> Vec<Tool> {
    let create = lines.iter().find(|line| line.message["method"] == "session.create");
    let tools = create.and_then(|line| line.message["params"]["tools"].as_array()).cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tool = |tool: &Value| Tool {
        name: text(&tool["name"]),
        description: text(&tool["description"]),
        parameters: tool["parameters"].to_string(),
    };
    tools.iter().map(tool).collect()
}

impl<M: Machine> Player<'_, M> {
    fn give(&mut self, inputs: Vec<Input>) {
        self.now += 3;
        let effects = self.machine.handle(self.now, &inputs);
        self.tape.push(Call { now: self.now, inputs, effects: effects.clone() });
        for effect in effects {
            self.effect(effect);
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::SidecarStart(id, _) => {
                self.sidecar = id;
                let started =
                    Started { version: "1.0.102".into(), working_directory: "/work".into(), ..Started::default() };
                self.give(vec![Input::SidecarStarted(SidecarStart { id, started })]);
            }
            Effect::SidecarSend(_, chunks) => self.written(&chunks),
            Effect::Event(_, Event::BlockFinished(end)) => match self.history.last_mut() {
                Some(last) if last.role == Role::Assistant => last.blocks.push(end.block),
                _ => self.history.push(Message { role: Role::Assistant, blocks: vec![end.block] }),
            },
            _ => {}
        }
    }

    /// A message of the plugin, whose secret is ten letters here.
    fn written(&mut self, chunks: &[Chunk]) {
        let piece = |chunk: &Chunk| match chunk {
            Chunk::Bytes(bytes) => bytes.clone(),
            Chunk::Secret(_) => b"secret".to_vec(),
        };
        let bytes: Vec<u8> = chunks.iter().flat_map(piece).collect();
        let text = String::from_utf8(bytes).expect("text");
        for body in text.split("Content-Length: ").filter_map(|frame| frame.split_once("\r\n\r\n")) {
            let message: Value = serde_json::from_str(body.1).expect("JSON");
            if let (Some(id), Some(method)) = (message["id"].as_u64(), message["method"].as_str()) {
                let session = message["params"]["sessionId"].as_str().map(str::to_owned);
                self.asked.push((id, method.to_owned(), session));
            }
        }
    }

    /// A request of the other client.
    fn client(&mut self, message: &Value, rest: &[Line], tools: &[Tool]) {
        let method = message["method"].as_str().unwrap_or_default();
        let first = self.turns == 0;
        match method {
            "connect" | "ping" | "session.create" if first => self.start(rest, tools),
            "session.send" if !self.asked.iter().any(|(_, asked, _)| asked == "session.send") => {
                self.catch_up("session.send");
                if !self.asked.iter().any(|(_, asked, _)| asked == "session.send") {
                    self.start(rest, tools);
                }
            }
            "session.abort" => self.give(vec![Input::CancelTurn(self.turns)]),
            "session.tools.handlePendingToolCall" => self.tools_answered(),
            _ => {}
        }
        self.meet(method, message);
    }

    fn start(&mut self, rest: &[Line], tools: &[Tool]) {
        let Some(send) = rest.iter().find(|line| line.message["method"] == "session.send") else { return };
        let prompt = send.message["params"]["prompt"].as_str().unwrap_or_default();
        // A caller keeps a conversation in turns: a question without an answer is asked anew, not left standing.
        self.history.pop_if(|last| last.role == Role::User);
        self.history.push(user_message(prompt));
        self.turns += 1;
        let options = TurnOptions { system: Some("S".into()), tools: tools.to_vec(), ..TurnOptions::default() };
        let turn = Turn { session: 1, id: self.turns, history: self.history.clone(), options };
        self.give(vec![Input::StartTurn(turn)]);
    }

    /// Answers every tool the plugin has invoked and not yet heard of.
    fn tools_answered(&mut self) {
        let answered = |tape: &[Call], id: &str| {
            let same = |input: &Input| matches!(input, Input::ToolResult(answer) if answer.result.call_id == id);
            tape.iter().flat_map(|call| &call.inputs).any(same)
        };
        let invoked = self.tape.iter().flat_map(|call| &call.effects).filter_map(|effect| match effect {
            Effect::ToolInvoke(turn, call) => Some((*turn, call.id.clone())),
            _ => None,
        });
        let open: Vec<_> = invoked.filter(|(_, id)| !answered(&self.tape, id)).collect();
        for (turn, call_id) in open {
            let result = ToolResult { call_id, content: "22 C".into(), is_error: false };
            self.give(vec![Input::ToolResult(ToolAnswer { turn, result })]);
        }
    }

    /// Answers requests the other client did not make, until one of this method is next.
    fn catch_up(&mut self, method: &str) {
        while let Some((id, asked, _)) = self.asked.first().cloned() {
            if asked == method {
                return;
            }
            self.asked.remove(0);
            self.output(&json!({ "jsonrpc": "2.0", "id": id, "result": {} }));
        }
    }

    /// Notes which request of the plugin is the counterpart of this one.
    fn meet(&mut self, method: &str, message: &Value) {
        // Others of its requests may have no counterpart; these do, once what stands before them is answered.
        let certain = ["connect", "session.create", "session.send", "session.abort"].contains(&method);
        if !certain && !self.asked.iter().any(|(_, asked, _)| asked == method) {
            return;
        }
        self.catch_up(method);
        if self.asked.is_empty() {
            return;
        }
        let (ours, _, session) = self.asked.remove(0);
        if let Some(theirs) = message["id"].as_u64() {
            self.ids.insert(theirs, ours);
        }
        if let (Some(theirs), Some(ours)) = (message["params"]["sessionId"].as_str(), session) {
            self.names.insert(theirs.to_owned(), ours);
        }
    }

    /// A message of the CLI, with the plugin's ids and names in it.
    fn answer(&mut self, message: &Value) {
        let mut message = message.clone();
        if message.get("method").is_none() {
            let Some(ours) = message["id"].as_u64().and_then(|theirs| self.ids.remove(&theirs)) else { return };
            message["id"] = ours.into();
        }
        let mut text = message.to_string();
        for (theirs, ours) in &self.names {
            text = text.replace(theirs, ours);
        }
        self.output(&serde_json::from_str(&text).expect("JSON"));
    }

    fn output(&mut self, message: &Value) {
        let body = message.to_string();
        let data = format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
        self.give(vec![Input::SidecarOutput(SidecarBytes { id: self.sidecar, data })]);
    }
}
