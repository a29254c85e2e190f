//! The model behind its endpoint: it compares every request that reaches it with what the callers of open turns have, and
//! answers as their scripts say.

use crate::dice::Dice;
use crate::items::{Item, Offered};
use llm_provider_guest::http_types::FailureKind;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the model, or what is before it, does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Text,
    Length,
    Compaction,
    Calls {
        calls: u8,
        unknown: bool,
    },
    Status(u16),
    /// The way there fails, with or without a part of the answer.
    Fails {
        kind: FailureKind,
        begun: bool,
    },
    Crash,
    Hang {
        cancel: bool,
    },
    LostIdle,
}

/// What a request to the model must hold, and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) items: Vec<Item>,
    pub(crate) system: String,
    pub(crate) tools: Vec<Offered>,
    pub(crate) script: VecDeque<Reply>,
}

/// The body of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    /// The CLI's session: so that requests of two turns are told apart.
    pub(crate) session: String,
    pub(crate) system: String,
    pub(crate) tools: Vec<Offered>,
    pub(crate) items: Vec<Item>,
    /// What the model said before it ran into its limit, when it is to go on.
    pub(crate) partial: Option<String>,
}

/// A line of a response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Text(String),
    /// With what the CLI does then: whether it says that it is idle, and whether it shortens the conversation.
    Stop {
        idle: bool,
        compacts: bool,
    },
    Length,
    Calls {
        calls: u8,
        unknown: bool,
    },
}

/// What happens to a request, in order.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Head(u16),
    Body(Vec<u8>),
    End,
    Fail(FailureKind),
    /// The CLI's process ends.
    Kill,
    /// Nothing more comes for this turn.
    Hang(u64),
}

#[derive(Default)]
pub(crate) struct Endpoint {
    /// Open turns.
    turns: BTreeMap<u64, Expected>,
    /// The turns of sessions, once a request has shown which it is.
    bound: BTreeMap<String, u64>,
    /// Turns that nothing more comes for.
    hung: BTreeSet<u64>,
    said: u64,
    /// Requests that held a caller's conversation.
    pub(crate) asked: u64,
}

impl Endpoint {
    pub(crate) fn open(&mut self, turn: u64, expected: Expected) {
        self.turns.insert(turn, expected);
    }

    pub(crate) fn close(&mut self, turn: u64) {
        self.turns.remove(&turn);
        self.bound.retain(|_, of| *of != turn);
        self.hung.remove(&turn);
    }

    pub(crate) fn hangs(&self, turn: u64) -> bool {
        self.hung.contains(&turn)
    }

    /// What is expected of the turn that runs in a session, once it has asked the model.
    pub(crate) fn of(&mut self, session: &str) -> Option<&mut Expected> {
        self.turns.get_mut(self.bound.get(session)?)
    }

    /// The turn of a session, once a request has shown which it is.
    pub(crate) fn turn(&self, session: &str) -> Option<u64> {
        self.bound.get(session).copied()
    }

    /// The CLI says nothing more to the turn of a session.
    pub(crate) fn lost_idle(&mut self, session: &str) {
        self.hung.extend(self.bound.get(session));
    }

    /// The turn that a request is of: that of its session, or one of which nothing came yet and whose conversation it holds.
    fn turn_of(&mut self, question: &Question) -> u64 {
        if let Some(turn) = self.bound.get(&question.session) {
            return *turn;
        }
        let known: BTreeSet<u64> = self.bound.values().copied().collect();
        let (mine, options) = (&question.items, (&question.system, &question.tools));
        let holds = |turn: &&u64| {
            let Expected { items, system, tools, .. } = &self.turns[turn];
            items == mine && (system, tools) == options
        };
        let fresh = || self.turns.keys().filter(|turn| !known.contains(turn));
        // A session that was lost within its turn has another take its place.
        let found = fresh().find(holds).or_else(|| self.turns.keys().find(holds)).or_else(|| fresh().next());
        let turn = *found.or(self.turns.keys().next()).expect("nobody asks the model but for a turn");
        self.bound.insert(question.session.clone(), turn);
        turn
    }

    /// A request to the model.
    pub(crate) fn ask(&mut self, body: &[u8], dice: &mut Dice) -> VecDeque<Step> {
        let question: Question = serde_json::from_slice(body).expect("the request came through whole");
        let turn = self.turn_of(&question);
        let expected = self.turns.get_mut(&turn).expect("an open turn");
        assert_eq!(question.items, expected.items, "the model does not see the caller's conversation");
        assert_eq!((&question.system, &question.tools), (&expected.system, &expected.tools), "nor its options");
        self.asked += 1;
        let reply = match question.partial {
            Some(_) => Reply::Text,
            None => expected.script.pop_front().unwrap_or(Reply::Text),
        };
        self.steps(turn, reply, question.tools.is_empty(), dice)
    }

    fn steps(&mut self, turn: u64, reply: Reply, toolless: bool, dice: &mut Dice) -> VecDeque<Step> {
        let half = || VecDeque::from([Step::Head(200), Step::Body(lines(&[Said::Text("half".into())]))]);
        let stop = |idle, compacts| Said::Stop { idle, compacts };
        let said = match reply {
            Reply::Calls { calls, unknown } if !toolless => vec![Said::Calls { calls, unknown }],
            Reply::Text | Reply::Calls { .. } => vec![self.text(), stop(true, false)],
            Reply::Length => vec![Said::Text("cut ".into()), Said::Length],
            Reply::Compaction => vec![self.text(), stop(true, true)],
            Reply::LostIdle => vec![self.text(), stop(false, false)],
            Reply::Status(status) => {
                return VecDeque::from([Step::Head(status), Step::Body(b"no".to_vec()), Step::End]);
            }
            Reply::Fails { kind, begun } => {
                let mut steps = if begun { half() } else { VecDeque::new() };
                steps.push_back(Step::Fail(kind));
                return steps;
            }
            Reply::Crash | Reply::Hang { .. } => {
                let mut steps = half();
                // With the head alone, with a part of the body, or with nothing at all.
                steps.truncate(dice.below(3));
                steps.push_back(if matches!(reply, Reply::Crash) { Step::Kill } else { Step::Hang(turn) });
                return steps;
            }
        };
        whole(200, &lines(&said), dice)
    }

    fn text(&mut self) -> Said {
        self.said += 1;
        Said::Text(format!("said {} h\u{e9}\u{1f600}", self.said))
    }

    /// A step that is no part of a response.
    pub(crate) fn hang(&mut self, turn: u64) {
        self.hung.insert(turn);
    }
}

/// A response that is complete, its body cut anywhere: also within a character.
pub(crate) fn whole(status: u16, body: &[u8], dice: &mut Dice) -> VecDeque<Step> {
    let mut steps = VecDeque::from([Step::Head(status)]);
    steps.extend(dice.cut(body).into_iter().map(Step::Body));
    steps.push_back(Step::End);
    steps
}

fn lines(said: &[Said]) -> Vec<u8> {
    let line = |said: &Said| serde_json::to_string(said).expect("it can be written") + "\n";
    said.iter().map(line).collect::<String>().into_bytes()
}
