//! Random inputs in random order, in the mode `one-shot`: the plugin keeps to the contract and never panics.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod rig;

use llm_provider_guest::provider::{Input, SidecarFault, TurnOptions};
use llm_provider_guest::sidecar_types::Exit;
use proptest::prelude::*;
use rig::oneshot::{BYOK, GITHUB, Rig, transcript};
use rig::{assistant, user};
use std::collections::{BTreeMap, BTreeSet};

/// Something that may happen to a plugin.
#[derive(Clone, Debug)]
enum Op {
    Open(u64),
    Close(u64),
    Start { session: u64, turns: usize, system: bool },
    Cancel(u64),
    Started(usize),
    Failed(usize),
    Output { which: usize, output: usize, upto: usize },
    Exited { which: usize, code: Option<i32>, report: Option<&'static str> },
    Pass(u64),
    Shutdown,
}

const OUTPUTS: [&str; 5] = ["06_json_stream_on", "06_err_401", "06z_cut_mid", "06z_length", "06z_filter"];
const REPORTS: [Option<&str>; 3] =
    [None, Some("no report"), Some(r#"{"modelMetrics":{"m":{"requests":{"count":1},"usage":{"inputTokens":5}}}}"#)];

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (1u64..8).prop_map(Op::Open),
        1 => (1u64..8).prop_map(Op::Close),
        8 => (1u64..8, 0usize..3, prop::bool::weighted(0.1))
            .prop_map(|(session, turns, system)| Op::Start { session, turns, system }),
        2 => (1u64..20).prop_map(Op::Cancel),
        8 => (0usize..4).prop_map(Op::Started),
        1 => (0usize..4).prop_map(Op::Failed),
        8 => (0usize..4, 0..OUTPUTS.len(), prop_oneof![Just(usize::MAX), 0usize..6_000])
            .prop_map(|(which, output, upto)| Op::Output { which, output, upto }),
        6 => (0usize..4, prop::option::of(0i32..2), prop::sample::select(REPORTS.to_vec()))
            .prop_map(|(which, code, report)| Op::Exited { which, code, report }),
        2 => (0u64..200_000).prop_map(Op::Pass),
        1 => Just(Op::Shutdown),
    ]
}

/// A host that keeps to the contract: what runs, and what was announced as running.
struct World {
    rig: Rig,
    running: BTreeMap<u64, bool>,
    seen: usize,
    open: BTreeSet<u64>,
    over: bool,
}

impl World {
    fn new(config: &str) -> Self {
        Self { rig: Rig::new(config), running: BTreeMap::new(), seen: 0, open: BTreeSet::from([1]), over: false }
    }

    fn nth(&self, which: usize, announced: bool) -> Option<u64> {
        self.running.iter().filter(|(_, started)| **started == announced).map(|(id, _)| *id).nth(which)
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Open(id) if !self.over && self.open.insert(*id) => self.rig.give(Input::OpenSession(*id)),
            Op::Close(id) if self.open.remove(id) => self.rig.give(Input::CloseSession(*id)),
            Op::Start { session, turns, system } if !self.over => {
                let mut history = vec![user("q")];
                for _ in 0..*turns {
                    history.extend([assistant("Hello there, world."), user("q")]);
                }
                let system = system.then(|| "S".to_owned());
                self.rig.ask_in(*session, history, TurnOptions { system, ..TurnOptions::default() });
            }
            Op::Cancel(turn) => self.rig.give(Input::CancelTurn(*turn)),
            Op::Started(which) => {
                if let Some(id) = self.nth(*which, false) {
                    self.running.insert(id, true);
                    self.rig.started(id);
                }
            }
            Op::Failed(which) => {
                if let Some(id) = self.nth(*which, false) {
                    self.running.remove(&id);
                    self.rig.give(Input::SidecarFailed(SidecarFault { id, message: "no".into(), hint: None }));
                }
            }
            Op::Output { which, output, upto } => {
                if let Some(id) = self.nth(*which, true) {
                    let text = transcript(&format!("{}.stdout.txt", OUTPUTS[*output]));
                    self.rig.output(id, &text.as_bytes()[..text.len().min(*upto)]);
                }
            }
            Op::Exited { which, code, report } => {
                if let Some(id) = self.nth(*which, true) {
                    self.exit(id, *code, *report);
                }
            }
            Op::Pass(milliseconds) => self.rig.pass(*milliseconds),
            Op::Shutdown if !self.over => {
                self.over = true;
                self.rig.give(Input::Shutdown);
            }
            _ => {}
        }
        self.note_starts();
    }

    fn exit(&mut self, id: u64, code: Option<i32>, report: Option<&str>) {
        self.running.remove(&id);
        let signal = if code.is_none() { Some(9) } else { None };
        self.rig.exited(id, Exit { code, signal, report: report.map(str::to_owned), ..Exit::default() });
    }

    fn note_starts(&mut self) {
        for (id, _) in self.rig.starts().split_off(self.seen) {
            self.running.insert(id, false);
            self.seen += 1;
        }
        assert!(self.running.len() <= 4, "no more processes at once than the host allows");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn the_contract_holds_whatever_happens(ops in prop::collection::vec(op(), 1..80), github in any::<bool>()) {
        let mut world = World::new(if github { GITHUB } else { BYOK });
        for op in &ops {
            world.apply(op);
        }
        world.apply(&Op::Shutdown);
        prop_assert_eq!(world.rig.monitor.open_turns(), 0, "every turn has ended");
        let killed: BTreeSet<u64> = world.rig.killed().into_iter().collect();
        prop_assert!(world.running.keys().all(|id| killed.contains(id)), "every process was told to go");
        for id in world.running.clone().into_keys() {
            world.exit(id, None, None);
        }
        prop_assert_eq!(world.rig.timer, None, "nothing is left to wait for");
        let names: Vec<String> = world
            .rig
            .starts()
            .into_iter()
            .filter_map(|(_, spec)| spec.settings.into_iter().find(|setting| setting.name == "session-id"))
            .map(|setting| setting.value)
            .collect();
        prop_assert!(names.iter().all(|name| name.len() == 36));
    }
}
