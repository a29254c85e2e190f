//! Whatever happens, in whatever order: a world around the engine that any list of operations can drive.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::rig::{Rig, TIMEOUT, calls, header, results, stream, tools, user};
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::provider::{Input, ReasoningEffort, ToolChoice, TurnOptions};
use llm_provider_guest::types::ToolOwner;
use serde_json::{Value, json};

/// Something that may happen to a plugin. Requests, turns and calls are named by how new they are: 0 is the newest.
#[derive(Clone, Debug)]
pub enum Op {
    Open(u64),
    Close(u64),
    Start {
        session: u64,
        history: u8,
        options: u8,
    },
    Cancel(u64),
    Ask(bool),
    Head {
        request: usize,
        status: u16,
        kind: u8,
    },
    Said {
        request: usize,
        which: usize,
    },
    Bytes {
        request: usize,
        bytes: Vec<u8>,
    },
    End(usize),
    /// A whole answer, or as much of it as still fits.
    Answer {
        request: usize,
        calls: bool,
    },
    Broken {
        request: usize,
        kind: u8,
        sent: bool,
    },
    ToolResult {
        call: usize,
        other_turn: bool,
    },
    Pass(u64),
    Shutdown,
}

pub const STATUSES: [u16; 6] = [200, 200, 200, 204, 429, 500];

/// What the endpoint says in one go.
pub fn sayings() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut one = |event: Value| all.push(stream(&[event]));
    for key in 0..3 {
        one(json!({"text": key}));
        one(json!({"thinking": key}));
        for id in ["", "a", "b"] {
            one(json!({"call": [key, id, "look"]}));
        }
        one(json!({"more": [key, "x"]}));
        one(json!({"more": [key, ""]}));
        one(json!({"close": [key, "proof"]}));
    }
    for reason in ["stop", "length", "calls", "calls"] {
        one(json!({"stopped": reason}));
    }
    one(json!({"usage": [3, 4]}));
    one(json!({"model": "toy-9"}));
    one(json!({"failed": {"code": "overloaded_error", "message": "busy"}}));
    one(json!({"future": 1}));
    all.push(b": comment\n\n".to_vec());
    all.push(b"data: {\"more\": [0, \"cut".to_vec());
    all.push(br#"[{"text": 0}, {"more": [0, "x"]}, {"stopped": "stop"}]"#.to_vec());
    all.push(br#"{"models": ["m"], "next": null}"#.to_vec());
    all.push(br#"{"models": ["m"], "next": "m"}"#.to_vec());
    all.push(br#"{"code": "insufficient_quota", "message": "no"}"#.to_vec());
    all.push(stream(&crate::rig::calling(&["a", "", "a"])));
    all.push(stream(&crate::rig::saying("hello")));
    all.push(stream(&crate::rig::calling(&["a"])));
    all
}

struct World {
    rig: Rig,
    open: Vec<u64>,
    sayings: Vec<Vec<u8>>,
    /// Requests whose head has come: the host tells it once, and no body before it.
    begun: Vec<u64>,
    questions: u64,
}

impl World {
    fn new() -> Self {
        Self { rig: Rig::default(), open: vec![1], sayings: sayings(), begun: Vec::new(), questions: 0 }
    }

    /// An open request, by how new it is.
    fn request(&self, back: usize) -> Option<u64> {
        self.rig.monitor.requests.iter().rev().nth(back).copied()
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Open(id) if !self.open.contains(id) => {
                self.open.push(*id);
                self.rig.give(Input::OpenSession(*id));
            }
            Op::Close(id) if self.open.contains(id) => {
                self.open.retain(|open| open != id);
                self.rig.give(Input::CloseSession(*id));
            }
            Op::Start { session, history, options: which } => {
                self.rig.ask_in(*session, conversation(*history), options(*which));
            }
            Op::Cancel(back) => self.rig.give(Input::CancelTurn(self.rig.next_turn.saturating_sub(*back))),
            Op::Ask(models) => {
                self.questions += 1;
                let id = self.questions;
                self.rig.give(if *models { Input::ListModels(id) } else { Input::ReadQuota(id) });
            }
            Op::ToolResult { call, other_turn } => self.tool_result(*call, *other_turn),
            Op::Pass(time) => self.rig.pass(*time),
            Op::Shutdown => self.rig.give(Input::Shutdown),
            Op::Open(_) | Op::Close(_) => {}
            Op::Answer { request, calls } => self.answer(*request, *calls),
            Op::Head { .. } | Op::Said { .. } | Op::Bytes { .. } | Op::End(_) | Op::Broken { .. } => self.http(op),
        }
    }

    fn http(&mut self, op: &Op) {
        let (Op::Head { request, .. }
        | Op::Said { request, .. }
        | Op::Bytes { request, .. }
        | Op::End(request)
        | Op::Broken { request, .. }) = op
        else {
            return;
        };
        let Some(id) = self.request(*request) else { return };
        let begun = self.begun.contains(&id);
        match op {
            Op::Head { status, kind, .. } if !begun => {
                let kind =
                    ["text/event-stream", "text/event-stream", "application/json", "text/html"][*kind as usize % 4];
                self.begun.push(id);
                self.rig.head(id, *status, vec![header("content-type", kind), header("toy-request", "r")]);
            }
            Op::Said { which, .. } if begun => {
                let bytes = self.sayings[which % self.sayings.len()].clone();
                self.rig.chunk(id, &bytes);
            }
            Op::Bytes { bytes, .. } if begun => self.rig.chunk(id, bytes),
            Op::End(_) if begun => self.rig.end(id),
            Op::Broken { kind, sent, .. } => {
                let kinds = [FailureKind::Connect, FailureKind::Timeout, FailureKind::Broken, FailureKind::TooLarge];
                self.rig.broken(id, kinds[*kind as usize % 4], begun || *sent);
            }
            _ => {}
        }
    }

    fn answer(&mut self, request: usize, calls: bool) {
        let whole = self.sayings.len() - if calls { 1 } else { 2 };
        for op in [Op::Head { request, status: 200, kind: 0 }, Op::Said { request, which: whole }, Op::End(request)] {
            self.http(&op);
        }
    }

    fn tool_result(&mut self, call: usize, other_turn: bool) {
        let Some((turn, call)) = self.rig.invoked.iter().rev().nth(call).cloned() else { return };
        self.rig.tool_result(if other_turn { turn + 1 } else { turn }, &call.id, "seen");
    }
}

fn conversation(which: u8) -> Vec<llm_provider_guest::types::Message> {
    match which % 4 {
        0 | 1 => vec![user("hello")],
        2 => vec![user("hello"), calls(&["a"]), results(&["a"])],
        _ => vec![user("hello"), calls(&["a"])],
    }
}

fn options(which: u8) -> TurnOptions {
    let owner = if which & 1 == 0 { ToolOwner::Callback } else { ToolOwner::Return };
    let mut options = tools(owner);
    match (which >> 1) % 8 {
        0 => options.tool_choice = ToolChoice::Required,
        1 => options.activity_timeout = Some(100),
        2 => options.reasoning_effort = Some(ReasoningEffort::Low),
        3 => options.max_output_tokens = Some(0),
        4 => options.tools.clear(),
        _ => {}
    }
    options
}

/// Runs them, and lets time end what is left.
pub fn run(ops: &[Op]) -> Rig {
    let mut world = World::new();
    for op in ops {
        world.step(op);
    }
    let mut rig = world.rig;
    rig.pass(2 * TIMEOUT);
    let open = |turn: &u64| !rig.monitor.ended(*turn);
    let tool_waits = rig.invoked.iter().any(|(turn, _)| open(turn));
    assert!(tool_waits || rig.monitor.open_turns() == 0, "time alone ends every turn whose tools do not run");
    rig.give(Input::Shutdown);
    assert_eq!((rig.monitor.open_turns(), rig.monitor.open_questions(), rig.monitor.requests.len()), (0, 0, 0));
    rig
}

/// Operations from bytes, any bytes: four for each. What a fuzzer turns over, and what its corpus is replayed from.
pub fn from_bytes(bytes: &[u8]) -> Vec<Op> {
    bytes.chunks_exact(4).take(400).map(|four| one(four[0], four[1], four[2], four[3])).collect()
}

fn one(kind: u8, a: u8, b: u8, c: u8) -> Op {
    let session = u64::from(a % 3) + 1;
    let request = usize::from(a % 3);
    match kind % 32 {
        0 => Op::Open(session),
        1 if b < 64 => Op::Close(session),
        1..=6 => Op::Start { session, history: b, options: c },
        7 => Op::Cancel(u64::from(a % 8)),
        8 => Op::Ask(!b.is_multiple_of(4)),
        9..=12 => Op::Head { request, status: STATUSES[usize::from(b) % STATUSES.len()], kind: c },
        13..=18 => Op::Said { request, which: usize::from(b) },
        19..=22 => Op::Answer { request, calls: b.is_multiple_of(2) },
        23 => Op::Bytes { request, bytes: vec![b, c] },
        24 | 25 => Op::End(request),
        26 if c < 128 => Op::Broken { request, kind: b, sent: c.is_multiple_of(2) },
        26..=29 => Op::ToolResult { call: usize::from(a % 4), other_turn: b > 250 },
        30 => Op::Pass(u64::from(a) * u64::from(b) * u64::from(c) / 64),
        _ if a == 255 => Op::Shutdown,
        _ => Op::Pass(u64::from(b)),
    }
}
