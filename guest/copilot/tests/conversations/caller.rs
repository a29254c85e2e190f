//! An engine that knows nothing of Copilot: it keeps its conversations and hands over the whole of one each turn.

use crate::endpoint::{Expected, Reply};
use crate::items::{Offered, of_history};
use crate::rig::{Rig, options, user};
use crate::server::Server;
use llm_provider_guest::events::Event;
use llm_provider_guest::provider::{Input, Turn, TurnOptions};
use llm_provider_guest::types::{Block, FinishReason, Message, Role, TextBlock, Tool, ToolOwner, ToolResult};
use std::collections::{BTreeMap, BTreeSet};

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

/// A turn that a caller wants.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) session: usize,
    pub(crate) branch: usize,
    pub(crate) say: Say,
    pub(crate) system: u8,
    pub(crate) tools: u8,
    pub(crate) returned: bool,
    pub(crate) replies: Vec<Reply>,
    /// Whether a question that was not answered stays in the history.
    pub(crate) keep_question: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Ask(Ask),
    /// Two turns at once, where they are of two sessions and two branches.
    Both(Ask, Ask),
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

/// A turn that runs.
struct Asking {
    turn: u64,
    session: usize,
    branch: usize,
    history: Vec<Message>,
    keep_question: bool,
    /// Whether the caller ends it, should nothing come.
    cancels: bool,
    /// How many blocks it had whenever a result was given.
    breaks: BTreeSet<usize>,
}

pub(crate) struct Caller {
    config: &'static str,
    rig: Rig,
    pub(crate) server: Server,
    branches: Vec<Vec<Message>>,
    next: u64,
    seed: u64,
    /// The sessions of the instance; ids are never used twice.
    sessions: [u64; 3],
    last_session: u64,
    /// Turns that were answered.
    pub(crate) answered: u64,
}

impl Caller {
    pub(crate) fn new(config: &'static str, dice: u64) -> Self {
        let mut caller = Self {
            config,
            rig: Rig::new(config),
            server: Server::new(dice),
            branches: vec![Vec::new()],
            next: 0,
            seed: 42,
            sessions: [1, 2, 3],
            last_session: 3,
            answered: 0,
        };
        caller.open();
        caller
    }

    fn open(&mut self) {
        (self.sessions, self.last_session) = ([1, 2, 3], 3);
        self.rig.takes_deletes = true;
        self.rig.give_all(vec![Input::OpenSession(2), Input::OpenSession(3)]);
    }

    pub(crate) fn step(&mut self, op: &Op) {
        let branches = self.branches.len();
        match op {
            Op::Ask(ask) => self.ask(&[ask]),
            Op::Both(one, other) => self.ask(&[one, other]),
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
                    assert!(self.rig.http.is_empty(), "nobody waits for these any more: {:?}", self.rig.http);
                    // Far enough that crashes are no storm.
                    self.rig.pass(61_000);
                }
            }
            Op::Rest => self.rest(),
            Op::OtherInstance => {
                if self.rig.sidecar.is_some() {
                    self.server.crashed(true);
                }
                self.server.orphaned();
                self.seed += 1;
                self.rig = Rig::seeded(self.config, self.seed);
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

    /// Turns to their ends, all at once.
    fn ask(&mut self, asks: &[&Ask]) {
        let (starts, invoked) = (self.rig.starts, self.rig.invoked.len());
        let mut open: Vec<Asking> = Vec::new();
        for ask in asks {
            let branch = ask.branch % self.branches.len();
            // Two that hold the same could not be told apart at the endpoint.
            let same = |other: &Asking| self.branches[other.branch] == self.branches[branch];
            if open.iter().all(|other| other.session != ask.session && !same(other)) {
                let asking = self.begin(ask, branch);
                open.push(asking);
            }
        }
        self.drive(&mut open, starts, invoked);
        for asking in &open {
            self.end(asking);
        }
        self.server.serve(&mut self.rig);
        assert!(self.rig.http.is_empty(), "no request outlives its turn: {:?}", self.rig.http);
        if self.rig.sidecar.is_some() {
            assert!(self.server.kept() <= self.sessions.len(), "what nobody comes back to is deleted");
        }
        for asking in open {
            self.server.endpoint.close(asking.turn);
            self.settle(asking);
        }
    }

    fn begin(&mut self, ask: &Ask, branch: usize) -> Asking {
        let mut history = self.branches[branch].clone();
        history.push(self.question(&history, ask.say));
        if matches!(ask.say, Say::Several) {
            let text = self.text();
            history.push(user(&text));
        }
        let options = turn_options(ask.system, ask.tools, ask.returned);
        let expected = Expected {
            items: of_history(&history),
            system: options.system.clone().unwrap(),
            tools: options.tools.iter().map(offered).collect(),
            script: ask.replies.iter().cloned().collect(),
        };
        let id = self.rig.next_turn;
        self.rig.next_turn += 1;
        self.server.endpoint.open(id, expected);
        let session = self.sessions[ask.session];
        self.rig.give(Input::StartTurn(Turn { session, id, history: history.clone(), options }));
        Asking {
            turn: id,
            session: ask.session,
            branch,
            history,
            keep_question: ask.keep_question,
            cancels: ask.replies.iter().any(|reply| matches!(reply, Reply::Hang { cancel: true })),
            breaks: BTreeSet::new(),
        }
    }

    fn drive(&mut self, open: &mut [Asking], mut starts: u32, mut answered: usize) {
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
            let over = |asking: &Asking| self.rig.monitor.ended(asking.turn) || self.server.endpoint.hangs(asking.turn);
            match self.rig.invoked.get(answered).cloned() {
                Some((of, call)) => {
                    answered += 1;
                    let asking = open.iter_mut().find(|asking| asking.turn == of).expect("a turn that runs");
                    asking.breaks.insert(self.rig.blocks(of).len());
                    self.rig.tool_result(of, &call.id, &format!("result of {}", call.id), false);
                }
                None if self.rig.starts > starts => {}
                None if open.iter().all(over) => return,
                // A restart may have to wait.
                None if self.rig.sidecar.is_none() => self.rig.pass(1_000),
                None => return,
            }
        }
    }

    /// Ends a turn to which nothing more comes: by hand, or by time.
    fn end(&mut self, asking: &Asking) {
        if self.rig.monitor.ended(asking.turn) {
            return;
        }
        let hangs = self.server.endpoint.hangs(asking.turn);
        assert!(hangs, "a turn waits for something that does not come: {:?}", self.rig.all_asked.last());
        if asking.cancels {
            self.rig.give(Input::CancelTurn(asking.turn));
        } else {
            self.rig.pass(121_000);
        }
        assert!(self.rig.monitor.ended(asking.turn));
        self.server.assert_given_up(asking.turn, &self.rig);
        self.server.serve(&mut self.rig);
    }

    /// What the caller makes of an ended turn.
    fn settle(&mut self, asking: Asking) {
        let mut history = asking.history;
        match self.answer(asking.turn, &asking.breaks) {
            Some(answer) => {
                history.extend(answer);
                self.branches[asking.branch] = history;
                self.answered += 1;
            }
            None if asking.keep_question => self.branches[asking.branch] = history,
            None => {}
        }
    }

    /// The answer as an engine keeps it: calls and their results in messages of their own. `None` when there is none.
    fn answer(&self, turn: u64, breaks: &BTreeSet<usize>) -> Option<Vec<Message>> {
        let Some(Event::Finished(finished)) = self.rig.events(turn).pop() else { return None };
        let ran = self.rig.invoked.iter().filter(|(of, _)| *of == turn);
        let ran: BTreeMap<String, String> =
            ran.map(|(_, call)| (call.id.clone(), format!("result of {}", call.id))).collect();
        let blocks = self.rig.blocks(turn);
        if finished.reason == FinishReason::ToolCalls {
            assert!(ran.is_empty(), "B01: never both");
            return Some(vec![Message { role: Role::Assistant, blocks }]);
        }
        // Blocks that begin after results were given belong to a later message of the model.
        let (mut messages, mut said, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for (at, block) in blocks.into_iter().enumerate() {
            if breaks.contains(&at) && !results.is_empty() {
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

/// None, one or two tools, of which the last may have another description or schema than its name had before.
fn turn_options(system: u8, tools: u8, returned: bool) -> TurnOptions {
    let (count, variant) = (tools % 3, tools / 3);
    let tool = |number: u8| {
        let changed = if number + 1 == count { variant } else { 0 };
        let (description, parameters) =
            [("d", "{}"), ("other", "{}"), ("d", r#"{"type":"object"}"#)][usize::from(changed) % 3];
        Tool { name: format!("tool{number}"), description: description.into(), parameters: parameters.into() }
    };
    TurnOptions {
        system: Some(format!("system {system}")),
        tools: (0..count).map(tool).collect(),
        tool_owner: if returned { ToolOwner::Return } else { ToolOwner::Callback },
        ..options()
    }
}

fn offered(tool: &Tool) -> Offered {
    let parameters = serde_json::from_str(&tool.parameters).expect("a schema");
    Offered { name: tool.name.clone(), description: tool.description.clone(), parameters }
}
