//! Whatever happens, in whatever order: a world around the plugin that any list of operations can drive.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::rig::{self, Rig, assistant, options, user};
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::provider::{Input, PermissionDecision, SidecarEnd, SidecarFault, Turn, TurnOptions};
use llm_provider_guest::sidecar_types::Exit;
use llm_provider_guest::types::{Block, Message, Role, Tool, ToolCall, ToolOwner, ToolResult};
use serde_json::{Value, json};

/// Something that may happen to a plugin.
#[derive(Clone, Debug)]
pub enum Op {
    Open(u64),
    Close(u64),
    Start {
        session: u64,
        history: u8,
        tools: bool,
        returned: bool,
        system: bool,
    },
    Decide(usize, bool),
    Ask(bool),
    Cancel(u64),
    Started,
    Failed,
    Exited,
    Answer {
        which: usize,
        kind: u8,
    },
    Event {
        session: usize,
        kind: usize,
        data: usize,
    },
    ToolResult(u64),
    Pass(u64),
    Junk(Vec<u8>),
    /// The CLI hands over a request, more of it, or no longer wants it.
    Handed {
        request: u8,
        part: u8,
    },
    /// The host has something of a request that was sent.
    Http {
        which: usize,
        part: u8,
    },
    Shutdown,
}

pub const KINDS: &[&str] = &[
    "assistant.message_delta",
    "assistant.message_delta",
    "assistant.reasoning_delta",
    "assistant.tool_call_delta",
    "assistant.message",
    "assistant.usage",
    "assistant.turn_start",
    "assistant.turn_end",
    "assistant.turn_retry",
    "user.message",
    "session.error",
    "session.idle",
    "session.idle",
    "external_tool.requested",
    "permission.requested",
    "tool.execution_complete",
    "model.call_failure",
    "session.truncation",
    "session.model_change",
    "assistant.streaming_delta",
    "future.event",
];

fn data() -> Vec<Value> {
    let mut data = vec![json!({}), json!(null), json!([]), json!({"messageId": 7})];
    for id in ["a", "b"] {
        for text in ["", "x", "xy", "zz"] {
            data.push(json!({
                "messageId": id, "deltaContent": text, "content": text, "reasoningId": id, "reasoningText": text,
                "toolCallId": id, "toolName": "t1", "name": "t1", "inputDelta": text, "arguments": {"v": text},
                "toolRequests": [{"toolCallId": id, "name": "t1", "arguments": {}}], "requestId": id,
                "finishReason": if text == "zz" { "length" } else { "stop" }, "contentFilterTriggered": text == "xy",
                "statusCode": if text == "x" { 401 } else { 500 }, "errorType": "query", "message": text,
                "permissionRequest": {"kind": "shell"}, "aborted": text == "xy", "newModel": text,
            }));
            data.push(json!({"messageId": id, "deltaContent": text, "content": text, "toolRequests": []}));
        }
    }
    data
}

struct World {
    rig: Rig,
    open: Vec<u64>,
    starting: bool,
    shut: bool,
}

impl World {
    fn step(&mut self, op: &Op, data: &[Value]) {
        let rig = &mut self.rig;
        let before = rig.starts;
        match op {
            Op::Open(id) if !self.open.contains(id) && !self.shut => {
                self.open.push(*id);
                rig.give(Input::OpenSession(*id));
            }
            Op::Close(id) if self.open.contains(id) => {
                self.open.retain(|open| open != id);
                rig.give(Input::CloseSession(*id));
            }
            Op::Start { session, history, tools, returned, system } if self.open.contains(session) => {
                let history = conversation(*history);
                let tool = Tool { name: "t1".into(), description: String::new(), parameters: "{}".into() };
                let options = TurnOptions {
                    tools: if *tools { vec![tool] } else { Vec::new() },
                    tool_owner: if *returned { ToolOwner::Return } else { ToolOwner::Callback },
                    system: system.then(|| "T".into()),
                    ..options()
                };
                let id = rig.next_turn;
                rig.next_turn += 1;
                rig.give(Input::StartTurn(Turn { session: *session, id, history, options }));
            }
            Op::Decide(which, allow) => {
                if let Some((turn, id)) = rig.permissions.get(*which).cloned() {
                    let deny = PermissionDecision::Deny("no".into());
                    rig.decide(turn, &id, if *allow { PermissionDecision::Allow } else { deny });
                }
            }
            Op::Ask(models) => {
                rig.next_turn += 1;
                let id = rig.next_turn;
                rig.give(if *models { Input::ListModels(id) } else { Input::ReadQuota(id) });
            }
            Op::Cancel(back) => rig.give(Input::CancelTurn(rig.next_turn.saturating_sub(*back))),
            Op::Started if self.starting => {
                self.starting = false;
                rig.started();
            }
            Op::Failed if self.starting => {
                self.starting = false;
                let id = rig.sidecar.take().unwrap();
                rig.give(Input::SidecarFailed(SidecarFault { id, message: "no such file".into(), hint: None }));
            }
            Op::Exited if rig.sidecar.is_some() && !self.starting => {
                let id = rig.sidecar.take().unwrap();
                let exit = Exit { signal: Some(9), ..Exit::default() };
                rig.give(Input::SidecarExited(SidecarEnd { id, exit }));
            }
            Op::Answer { which, kind } => self.answer(*which, *kind),
            Op::Event { session, kind, data: which } => {
                let named = |asked: &rig::Asked| asked.params["sessionId"].as_str().map(str::to_owned);
                let names: Vec<String> = rig.all_asked.iter().rev().filter_map(named).take(4).collect();
                if let Some(name) = names.get(*session) {
                    rig.event(name, KINDS[*kind], data[which % data.len()].clone());
                }
            }
            Op::ToolResult(back) => {
                let turn = rig.next_turn.saturating_sub(*back);
                rig.tool_result(turn, "a", "r", false);
            }
            Op::Pass(time) => rig.pass(*time),
            Op::Junk(bytes) => rig.output(bytes),
            Op::Handed { request, part } => self.handed(*request, *part),
            Op::Http { which, part } => self.http(*which, *part),
            Op::Shutdown => {
                self.shut = true;
                rig.give(Input::Shutdown);
            }
            _ => {}
        }
        self.starting |= self.rig.starts > before;
    }

    fn answer(&mut self, which: usize, kind: u8) {
        let rig = &mut self.rig;
        if rig.asked.is_empty() {
            return;
        }
        let asked = rig.asked.remove(which % rig.asked.len());
        let answer = match kind {
            0 => {
                json!({"jsonrpc": "2.0", "id": asked.id, "error": {"code": -32603, "message": "Session not found: x"}})
            }
            1 => json!({"jsonrpc": "2.0", "id": asked.id, "error": {"code": -32601, "message": "Unhandled method"}}),
            2 => json!({"jsonrpc": "2.0", "id": asked.id, "result": null}),
            _ => json!({"jsonrpc": "2.0", "id": asked.id,
                "result": {"success": true, "protocolVersion": 3, "version": "1", "messageId": format!("m{}", asked.id)}}),
        };
        rig.frame(&answer.to_string());
    }
}

/// The model's traffic, in any order.
impl World {
    fn handed(&mut self, request: u8, part: u8) {
        let rig = &mut self.rig;
        if rig.sidecar.is_none() || self.starting {
            return;
        }
        let names = rig.all_asked.iter().rev().find_map(|asked| asked.params["sessionId"].as_str());
        let (session, id) = (names.unwrap_or("nobody").to_owned(), format!("r{}", request % 3));
        let (method, params) = match part % 6 {
            0 | 1 => (
                "httpRequestStart",
                json!({"requestId": id, "sessionId": session, "method": "POST", "url": "http://127.0.0.1:9/v1/x",
                    "headers": {"x": ["y"]}}),
            ),
            2 => (
                "httpRequestStart",
                json!({"requestId": id, "method": "GET", "url": "http://elsewhere/", "headers": {}}),
            ),
            3 => ("httpRequestChunk", json!({"requestId": id, "data": "", "cancel": true, "end": true})),
            4 => ("httpRequestChunk", json!({"requestId": id, "data": "eA==", "binary": true, "end": true})),
            _ => ("httpRequestChunk", json!({"requestId": id, "data": "half"})),
        };
        let method = format!("llmInference.{method}");
        rig.frame(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string());
    }

    fn http(&mut self, which: usize, part: u8) {
        let rig = &mut self.rig;
        let Some(id) = rig.http.keys().nth(which % rig.http.len().max(1)).copied() else { return };
        match part % 6 {
            0 => rig.http_head(id, 200, &[]),
            1 => rig.http_head(id, 429, &[("retry-after", "3")]),
            2 => rig.http_chunk(id, b"\xc3"),
            3 => {
                rig.http.remove(&id);
                rig.give(Input::HttpEnd(id));
            }
            4 => rig.http_failed(id, FailureKind::Denied, "no"),
            _ => rig.http_failed(id, FailureKind::Broken, "cut"),
        }
    }
}

/// Histories whose ends may be what a server session waits for.
fn conversation(which: u8) -> Vec<Message> {
    let call = |id: &str| ToolCall { id: id.into(), name: "t1".into(), arguments: "{}".into() };
    let result = |id: &str| ToolResult { call_id: id.into(), content: "r".into(), is_error: false };
    match which {
        0 => vec![user("one")],
        1 => vec![user("one"), assistant("x"), user("two")],
        2 => vec![user("one"), assistant("xy"), user("two")],
        _ => vec![
            user("one"),
            Message { role: Role::Assistant, blocks: vec![Block::ToolCall(call("a"))] },
            Message { role: Role::User, blocks: vec![Block::ToolResult(result("a"))] },
        ],
    }
}

pub fn run(config: &str, ops: &[Op]) -> Rig {
    let data = data();
    let mut world = World { rig: Rig::new(config), open: vec![1], starting: false, shut: false };
    for op in ops {
        world.step(op, &data);
    }
    // Time alone ends every turn: nothing may hang.
    if world.starting {
        world.rig.started();
    }
    for _ in 0..6 {
        let starts = world.rig.starts;
        if world.rig.stopping && world.rig.sidecar.is_some() {
            world.rig.exited(0, "");
        }
        world.rig.pass(200_000);
        if world.rig.starts > starts {
            world.rig.started();
        }
    }
    let open = |turn: &u64| !world.rig.monitor.ended(*turn);
    let tool_waits = world.rig.invoked.iter().any(|(turn, _)| open(turn));
    let person_waits = world.rig.permissions.iter().any(|(turn, _)| open(turn));
    assert!(tool_waits || person_waits || world.rig.monitor.open_turns() == 0, "{:#?}", world.rig.effects.last());
    world.rig.give(Input::Shutdown);
    assert_eq!(world.rig.monitor.open_turns(), 0);
    assert!(world.rig.http.is_empty(), "no request outlives its turn: {:?}", world.rig.http);
    world.rig
}

/// The configuration that a fuzzer's bytes are played with.
pub fn config_of(bytes: &[u8]) -> &'static str {
    [rig::BYOK, rig::GITHUB, rig::HOSTED][usize::from(bytes.first().copied().unwrap_or(0)) % 3]
}

/// Operations from bytes, any bytes: four for each. What a fuzzer turns over, and what its corpus is replayed from.
pub fn from_bytes(bytes: &[u8]) -> Vec<Op> {
    bytes.chunks_exact(4).take(400).map(|four| one(four[0], four[1], four[2], four[3])).collect()
}

fn one(kind: u8, a: u8, b: u8, c: u8) -> Op {
    let session = u64::from(a % 3) + 1;
    let bit = |at: u8| c & (1 << at) != 0;
    match kind % 40 {
        0 => Op::Open(session),
        1 => Op::Close(session),
        2..=5 => Op::Start { session, history: b % 4, tools: bit(0), returned: bit(1), system: bit(2) },
        6 => Op::Cancel(u64::from(a % 8)),
        7 | 8 => Op::Started,
        9 => Op::Failed,
        10 => Op::Exited,
        11..=16 => Op::Answer { which: usize::from(a % 4), kind: b % 8 },
        17..=26 => {
            Op::Event { session: usize::from(a % 4), kind: usize::from(b) % KINDS.len(), data: usize::from(c % 40) }
        }
        27 => Op::ToolResult(u64::from(a % 8)),
        28 => Op::Pass(u64::from(a) * u64::from(b) * u64::from(c) / 16),
        29 => Op::Junk(vec![a, b, c]),
        30 => {
            if bit(0) {
                Op::Ask(bit(1))
            } else {
                Op::Decide(usize::from(a % 4), bit(1))
            }
        }
        31 if a == 255 => Op::Shutdown,
        31 => Op::Pass(u64::from(b)),
        32..=35 => Op::Handed { request: a, part: b },
        _ => Op::Http { which: usize::from(a % 3), part: b },
    }
}
