//! An engine that knows nothing of Copilot: it keeps its conversations and hands over the whole of one each turn.

use crate::items::of_history;
use crate::rig::{BYOK, Rig, options, user};
use crate::server::{Expected, Server};
use llm_provider_guest::events::Event;
use llm_provider_guest::provider::{Input, Turn, TurnOptions};
use llm_provider_guest::types::{Block, FinishReason, Message, Role, TextBlock, Tool, ToolOwner, ToolResult};
use std::collections::{BTreeMap, BTreeSet};

/// What the model, or what is before it, does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Text,
    Length,
    Retried,
    Compaction,
    Calls { calls: u8, unknown: bool },
    Error,
    Crash,
    Hang { cancel: bool },
    LostIdle,
}

/// How the caller goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Say {
    One,
    Several,
    /// Where results are due: all but one.
    LeaveOneResultOut,
    /// Where results are due: something said before them.
    TextFirst,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Ask {
        session: usize,
        branch: usize,
        say: Say,
        system: u8,
        tools: u8,
        returned: bool,
        replies: Vec<Reply>,
        /// Whether a question that was not answered stays in the history.
        keep_question: bool,
    },
    Fork(usize),
    Rollback(usize, usize),
    Edit(usize, usize),
    Crash {
        flushed: bool,
    },
    Rest,
    OtherInstance,
    ForgetSessions,
    LoseHome,
    CloseSession(usize),
}

pub(crate) struct Caller {
    rig: Rig,
    pub(crate) server: Server,
    branches: Vec<Vec<Message>>,
    next: u64,
    seed: u64,
    /// The sessions of the instance; ids are never used twice.
    sessions: [u64; 3],
    last_session: u64,
    /// How many blocks the running turn had whenever a result was given.
    breaks: BTreeSet<usize>,
}

impl Caller {
    pub(crate) fn new() -> Self {
        let mut caller = Self {
            rig: Rig::new(BYOK),
            server: Server::default(),
            branches: vec![Vec::new()],
            next: 0,
            seed: 42,
            sessions: [1, 2, 3],
            last_session: 3,
            breaks: BTreeSet::new(),
        };
        caller.open();
        caller
    }

    fn open(&mut self) {
        (self.sessions, self.last_session) = ([1, 2, 3], 3);
        self.rig.give_all(vec![Input::OpenSession(2), Input::OpenSession(3)]);
    }

    pub(crate) fn step(&mut self, op: &Op) {
        let branches = self.branches.len();
        match op {
            Op::Ask { session, branch, say, system, tools, returned, replies, keep_question } => {
                let branch = branch % branches;
                let mut history = self.branches[branch].clone();
                history.push(self.question(&history, *say));
                if matches!(say, Say::Several) {
                    let text = self.text();
                    history.push(user(&text));
                }
                self.server.script = replies.iter().cloned().collect();
                let options = turn_options(*system, *tools, *returned);
                let answered = self.ask(self.sessions[*session], history.clone(), options, replies);
                match answered {
                    Some(answer) => {
                        history.extend(answer);
                        self.branches[branch] = history;
                    }
                    None if *keep_question => self.branches[branch] = history,
                    None => {}
                }
            }
            Op::Fork(branch) if branches < 4 => self.branches.push(self.branches[branch % branches].clone()),
            Op::Fork(_) => {}
            Op::Rollback(branch, at) => {
                let branch = &mut self.branches[branch % branches];
                let answers: Vec<usize> =
                    (0..branch.len()).filter(|at| branch[*at].role == Role::Assistant).map(|at| at + 1).collect();
                let at = answers.get(at % answers.len().max(1)).copied().unwrap_or(0);
                branch.truncate(at);
            }
            Op::Edit(branch, at) => {
                let text = self.text();
                let branch = &mut self.branches[branch % branches];
                let at = at % branch.len().max(1);
                if let Some(Block::Text(said)) = branch.get_mut(at).and_then(|message| message.blocks.last_mut()) {
                    said.text = text;
                }
            }
            Op::Crash { flushed } => {
                if self.rig.sidecar.is_some() {
                    self.server.crashed(*flushed);
                    self.rig.exited(137, "");
                    // Far enough that crashes are no storm.
                    self.rig.pass(61_000);
                }
            }
            Op::Rest => self.rest(),
            Op::OtherInstance => {
                if self.rig.sidecar.is_some() {
                    self.server.crashed(true);
                }
                self.seed += 1;
                self.rig = Rig::seeded(BYOK, self.seed);
                self.open();
            }
            Op::ForgetSessions => self.server.forget(),
            Op::LoseHome => self.server.lose_home(self.rig.sidecar.is_some()),
            Op::CloseSession(session) => {
                self.last_session += 1;
                let old = std::mem::replace(&mut self.sessions[*session], self.last_session);
                self.rig.give_all(vec![Input::CloseSession(old), Input::OpenSession(self.last_session)]);
                self.server.serve(&mut self.rig);
            }
        }
    }

    fn rest(&mut self) {
        if self.rig.sidecar.is_some() {
            self.rig.pass(901_000);
            self.server.serve(&mut self.rig);
            if self.rig.stopping {
                self.rig.exited(0, "");
            }
        }
    }

    /// What the caller says next: the results, where the last answer was calls.
    fn question(&mut self, history: &[Message], say: Say) -> Message {
        let text = |caller: &mut Self| Block::Text(TextBlock { text: caller.text() });
        let calls = history.last().into_iter().flat_map(|last| &last.blocks).filter_map(|block| match block {
            Block::ToolCall(call) => Some(call.id.clone()),
            _ => None,
        });
        let result = |id: String| {
            let content = format!("result of {id}");
            Block::ToolResult(ToolResult { call_id: id, content, is_error: false })
        };
        let mut blocks: Vec<Block> = calls.map(result).collect();
        match say {
            Say::LeaveOneResultOut => drop(blocks.pop()),
            Say::TextFirst => blocks.insert(0, text(self)),
            Say::One | Say::Several => {}
        }
        if blocks.is_empty() {
            blocks.push(text(self));
        }
        Message { role: Role::User, blocks }
    }

    /// One turn to its end. Gives what the caller appends; `None` when it was not answered.
    fn ask(
        &mut self,
        session: u64,
        history: Vec<Message>,
        options: TurnOptions,
        replies: &[Reply],
    ) -> Option<Vec<Message>> {
        let tools = options.tools.iter().map(|tool| tool.name.clone()).collect();
        let items = of_history(&history);
        self.server.expected = Some(Expected { items, system: options.system.clone().unwrap(), tools });
        let id = self.rig.next_turn;
        self.rig.next_turn += 1;
        let starts = self.rig.starts;
        let invoked = self.rig.invoked.len();
        self.rig.give(Input::StartTurn(Turn { session, id, history, options }));
        self.drive(id, starts);
        if !self.rig.monitor.ended(id) {
            assert!(self.server.hung, "a turn waits for something that does not come: {:?}", self.rig.all_asked.last());
            let cancels = replies.iter().any(|reply| matches!(reply, Reply::Hang { cancel: true }));
            if cancels {
                self.rig.give(Input::CancelTurn(id))
            } else {
                self.rig.pass(121_000)
            }
            self.server.hung = false;
            self.server.serve(&mut self.rig);
        }
        self.server.hung = false;
        self.server.expected = None;
        self.server.serve(&mut self.rig);
        self.answer(id, invoked)
    }

    fn drive(&mut self, turn: u64, mut starts: u32) {
        let mut answered = self.rig.invoked.len();
        self.breaks.clear();
        loop {
            if self.rig.starts > starts {
                starts = self.rig.starts;
                self.rig.started();
            }
            self.server.serve(&mut self.rig);
            if self.rig.stopping && self.rig.sidecar.is_some() {
                self.server.crashed(true);
                self.rig.exited(0, "");
                continue;
            }
            match self.rig.invoked.get(answered).cloned() {
                Some((of, call)) => {
                    answered += 1;
                    assert_eq!(of, turn);
                    self.breaks.insert(self.rig.blocks(turn).len());
                    self.rig.tool_result(turn, &call.id, &format!("result of {}", call.id), false);
                }
                None if self.rig.starts > starts => {}
                None if self.rig.monitor.ended(turn) || self.server.hung => return,
                // A restart may have to wait.
                None if self.rig.sidecar.is_none() => self.rig.pass(1_000),
                None => return,
            }
        }
    }

    /// The answer as an engine keeps it: calls and their results in messages of their own.
    fn answer(&mut self, turn: u64, invoked: usize) -> Option<Vec<Message>> {
        let Some(Event::Finished(finished)) = self.rig.events(turn).pop() else { return None };
        let ran =
            self.rig.invoked.iter().skip(invoked).map(|(_, call)| (call.id.clone(), format!("result of {}", call.id)));
        let ran: BTreeMap<String, String> = ran.collect();
        let blocks = self.rig.blocks(turn);
        if finished.reason == FinishReason::ToolCalls {
            assert!(ran.is_empty(), "B01: never both");
            return Some(vec![Message { role: Role::Assistant, blocks }]);
        }
        // Blocks that begin after results were given belong to a later message of the model.
        let (mut messages, mut said, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for (at, block) in blocks.into_iter().enumerate() {
            if self.breaks.contains(&at) && !results.is_empty() {
                messages.push(Message { role: Role::Assistant, blocks: std::mem::take(&mut said) });
                messages.push(Message { role: Role::User, blocks: std::mem::take(&mut results) });
            }
            if let Block::ToolCall(call) = &block
                && let Some(content) = ran.get(&call.id).cloned()
            {
                results.push(Block::ToolResult(ToolResult { call_id: call.id.clone(), content, is_error: false }));
            }
            said.push(block);
        }
        messages.push(Message { role: Role::Assistant, blocks: said });
        Some(messages)
    }

    /// Text that nobody has said yet.
    fn text(&mut self) -> String {
        self.next += 1;
        format!("question {}", self.next)
    }
}

fn turn_options(system: u8, tools: u8, returned: bool) -> TurnOptions {
    let tool = |name: String| Tool { name, description: "d".into(), parameters: "{}".into() };
    TurnOptions {
        system: Some(format!("system {system}")),
        tools: (0..tools).map(|number| tool(format!("tool{number}"))).collect(),
        tool_owner: if returned { ToolOwner::Return } else { ToolOwner::Callback },
        ..options()
    }
}
