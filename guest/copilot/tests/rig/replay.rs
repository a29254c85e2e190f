//! Recorded conversations with the real CLI, played against the plugin.
//!
//! A transcript is what another client said and what the CLI answered. The owner's side is derived from that client's
//! requests (a send starts a turn, an abort cancels one); our own requests are matched with its by method, ids and
//! session names are translated, and requests of ours that it did not make are answered with an empty success.

use super::{Rig, assistant, frame, options, user};
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::provider::{Input, TurnOptions};
use llm_provider_guest::types::{Block, Message, Role, Tool};
use serde_json::Value;
use std::collections::BTreeMap;

pub struct Line {
    pub from_cli: bool,
    pub text: String,
    pub value: Value,
}

/// Reads a transcript of this repository, each message as compact as the CLI wrote it.
pub fn transcript(name: &str) -> Vec<Line> {
    let path = format!("{}/../../tests/transcripts/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines()
        .filter_map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            value["msg"].is_object().then(|| {
                let at = line.find("\"msg\": ").unwrap() + 7;
                let text = compact(line[at..].strip_suffix('}').unwrap());
                Line { from_cli: value["dir"] == "<", text, value: value["msg"].clone() }
            })
        })
        .collect()
}

fn compact(json: &str) -> String {
    let (mut text, mut quoted, mut escaped) = (String::new(), false, false);
    for c in json.chars() {
        if quoted || !c.is_whitespace() {
            text.push(c);
        }
        quoted = if c == '"' && !escaped { !quoted } else { quoted };
        escaped = quoted && c == '\\' && !escaped;
    }
    text
}

/// How a run of output is cut: gives the length of the next piece from what is left.
pub type Cut<'a> = &'a mut dyn FnMut(usize) -> usize;

pub struct Replay {
    pub rig: Rig,
    pub turns: Vec<u64>,
    pub history: Vec<Message>,
    ids: BTreeMap<u64, u64>,
    names: BTreeMap<String, String>,
    pending: Vec<u8>,
    /// The CLI's names for the requests that it handed over, in order: our ids count them.
    handed: Vec<String>,
}

/// Plays a whole transcript.
pub fn play(name: &str, config: &str, cut: Cut<'_>) -> Replay {
    let lines = transcript(name);
    let mut replay = Replay {
        rig: Rig::new(config),
        turns: Vec::new(),
        history: Vec::new(),
        ids: BTreeMap::new(),
        names: BTreeMap::new(),
        pending: Vec::new(),
        handed: Vec::new(),
    };
    let tools = tools(&lines);
    replay.start(&lines, 0, &tools);
    replay.rig.started();
    for (at, line) in lines.iter().enumerate() {
        if line.from_cli {
            replay.cli(line);
        } else {
            replay.flush(cut);
            replay.client(&lines, at, &tools);
        }
    }
    replay.flush(cut);
    replay
}

fn tools(lines: &[Line]) -> Vec<Tool> {
    let create = lines.iter().find(|line| line.value["method"] == "session.create").unwrap();
    let tools = create.value["params"]["tools"].as_array().cloned().unwrap_or_default();
    tools
        .iter()
        .map(|tool| Tool {
            name: tool["name"].as_str().unwrap().into(),
            description: tool["description"].as_str().unwrap_or_default().into(),
            parameters: tool["parameters"].to_string(),
        })
        .collect()
}

impl Replay {
    /// Starts the turn of the next send at or after `at`.
    fn start(&mut self, lines: &[Line], at: usize, tools: &[Tool]) {
        let send = lines[at..].iter().find(|line| line.value["method"] == "session.send").unwrap();
        let prompt = send.value["params"]["prompt"].as_str().unwrap();
        if let Some(last) = self.turns.last() {
            let blocks = self.rig.blocks(*last);
            if !blocks.is_empty() {
                self.history.push(Message { role: Role::Assistant, blocks });
            } else if self.rig.monitor.ended(*last) {
                // A caller keeps a conversation in turns: what was not answered goes out again with the next prompt.
                self.history.pop();
            }
        }
        self.history.push(user(prompt));
        let options = TurnOptions { tools: tools.to_vec(), ..options() };
        let turn = self.rig.ask_with(self.history.clone(), options);
        self.turns.push(turn);
    }

    fn client(&mut self, lines: &[Line], at: usize, tools: &[Tool]) {
        let line = &lines[at];
        let (method, params) = (line.value["method"].as_str().unwrap_or_default(), &line.value["params"]);
        match method {
            "session.send" => {
                if self.names.contains_key("sent") {
                    self.start(lines, at, tools);
                }
                self.names.insert("sent".into(), String::new());
            }
            "session.abort" => {
                if let Some(turn) = self.turns.last() {
                    self.rig.give(Input::CancelTurn(*turn));
                }
            }
            "session.tools.handlePendingToolCall" => self.tool(lines, params),
            "llmInference.httpResponseStart" | "llmInference.httpResponseChunk" => self.response(params),
            _ => {}
        }
        let theirs = line.value["id"].as_u64().unwrap_or(0);
        let known = ["connect", "session.create", "session.send", "session.abort"].contains(&method);
        if !known && !self.rig.asked.iter().any(|asked| asked.method == method) {
            return;
        }
        self.meet(method, theirs, params);
    }

    /// Finds our counterpart of a recorded request; whatever we ask beyond it succeeds.
    fn meet(&mut self, method: &str, theirs: u64, params: &Value) {
        while let Some(asked) = self.rig.asked.first().cloned() {
            if let (Some(their), Some(our)) = (params["sessionId"].as_str(), asked.params["sessionId"].as_str()) {
                self.names.insert(their.into(), our.into());
            }
            if asked.method == method {
                self.rig.asked.remove(0);
                self.ids.insert(theirs, asked.id);
                return;
            }
            let result = serde_json::json!({});
            self.rig.answer(&asked.method, result);
        }
    }

    fn tool(&mut self, lines: &[Line], params: &Value) {
        let request = lines
            .iter()
            .map(|line| &line.value["params"]["event"]["data"])
            .find(|data| data["requestId"] == params["requestId"] && data["toolCallId"].is_string())
            .unwrap();
        let (content, failed) = match (&params["result"], &params["error"]) {
            (Value::String(text), _) => (text.clone(), false),
            (Value::Object(result), _) => {
                (result["textResultForLlm"].as_str().unwrap().into(), result["resultType"] == "failure")
            }
            (_, error) => (error.as_str().unwrap_or_default().to_owned(), true),
        };
        let turn = *self.turns.last().unwrap();
        self.rig.tool_result(turn, request["toolCallId"].as_str().unwrap(), &content, failed);
    }

    /// What the recorded client answered in the place of the model's endpoint, as inputs of the host.
    fn response(&mut self, params: &Value) {
        let Some(at) = self.handed.iter().position(|name| params["requestId"] == **name) else { return };
        let id = at as u64 + 1;
        if let Some(status) = params["status"].as_u64() {
            let content_type = params["headers"]["content-type"][0].as_str().unwrap();
            return self.rig.http_head(id, u16::try_from(status).unwrap(), &[("content-type", content_type)]);
        }
        if let Some(message) = params["error"]["message"].as_str() {
            return self.rig.http_failed(id, FailureKind::Broken, message);
        }
        self.rig.http_chunk(id, params["data"].as_str().unwrap().as_bytes());
        if params["end"] == true {
            self.rig.give(Input::HttpEnd(id));
        }
    }

    fn cli(&mut self, line: &Line) {
        if line.value["method"] == "llmInference.httpRequestStart" {
            self.handed.push(line.value["params"]["requestId"].as_str().unwrap().to_owned());
        }
        let mut text = line.text.clone();
        if line.value.get("method").is_none() {
            let Some(theirs) = line.value["id"].as_u64() else { return };
            let Some(ours) = self.ids.remove(&theirs) else { return };
            let old = format!("\"id\":{theirs},");
            text = text.replacen(&old, &format!("\"id\":{ours},"), 1);
        }
        for (their, our) in self.names.iter().filter(|(_, our)| !our.is_empty()) {
            text = text.replace(their, our);
        }
        self.pending.extend(frame(&text));
    }

    /// Everything the CLI wrote before the next request, in pieces.
    fn flush(&mut self, cut: Cut<'_>) {
        let bytes = std::mem::take(&mut self.pending);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
            self.rig.output(piece);
            rest = after;
        }
    }

    /// The history as the owner has it after the last turn.
    pub fn answer(&self, turn: usize) -> Vec<Block> {
        self.rig.blocks(self.turns[turn])
    }

    pub fn said(&self, turn: usize) -> Message {
        assistant(&self.rig.text(self.turns[turn]))
    }
}
