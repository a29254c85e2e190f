//! Random inputs in random order: the plugin keeps to the contract and never panics.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod rig;

use llm_provider_guest::provider::{Input, PermissionDecision, SidecarEnd, SidecarFault, Turn, TurnOptions};
use llm_provider_guest::sidecar_types::Exit;
use llm_provider_guest::types::{Block, Message, Role, Tool, ToolCall, ToolOwner, ToolResult};
use proptest::prelude::*;
use rig::{BYOK, GITHUB, Rig, assistant, options, user};
use serde_json::{Value, json};

/// Something that may happen to a plugin.
#[derive(Clone, Debug)]
enum Op {
    Open(u64),
    Close(u64),
    Start { session: u64, history: u8, tools: bool, returned: bool, system: bool },
    Decide(usize, bool),
    Ask(bool),
    Cancel(u64),
    Started,
    Failed,
    Exited,
    Answer { which: usize, kind: u8 },
    Event { session: usize, kind: usize, data: usize },
    ToolResult(u64),
    Pass(u64),
    Junk(Vec<u8>),
    Shutdown,
}

const KINDS: &[&str] = &[
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

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (1u64..4).prop_map(Op::Open),
        1 => (1u64..4).prop_map(Op::Close),
        8 => (1u64..4, 0u8..4, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(session, history, tools, returned, system)| Op::Start { session, history, tools, returned, system }),
        2 => (0usize..4, any::<bool>()).prop_map(|(which, allow)| Op::Decide(which, allow)),
        1 => any::<bool>().prop_map(Op::Ask),
        2 => (0u64..8).prop_map(Op::Cancel),
        8 => Just(Op::Started),
        1 => Just(Op::Failed),
        2 => Just(Op::Exited),
        24 => (0usize..4, 0u8..8).prop_map(|(which, kind)| Op::Answer { which, kind }),
        40 => (0usize..4, 0..KINDS.len(), 0usize..40).prop_map(|(session, kind, data)| Op::Event { session, kind, data }),
        4 => (0u64..8).prop_map(Op::ToolResult),
        4 => prop_oneof![0u64..100, 1_000u64..200_000, Just(901_000)].prop_map(Op::Pass),
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Op::Junk),
        1 => Just(Op::Shutdown),
    ]
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
                "result": {"protocolVersion": 3, "version": "1", "messageId": format!("m{}", asked.id)}}),
        };
        rig.frame(&answer.to_string());
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

fn run(config: &str, ops: &[Op]) -> Rig {
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
    world.rig
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_contract_holds_whatever_happens(ops in prop::collection::vec(op(), 1..120), github in any::<bool>()) {
        let config = if github { GITHUB } else { BYOK };
        let first = run(config, &ops);
        let second = run(config, &ops);
        prop_assert_eq!(first.effects, second.effects);
    }
}
