//! Keeps what crosses the boundary.

use llm_provider_host::wit::provider::{Input, Turn};
use llm_provider_host::{Effect, Observer};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// All calls of an instance.
#[derive(Clone, Default)]
pub(crate) struct Tape(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    inputs: Vec<Input>,
    /// How many of them each call was given.
    batches: Vec<usize>,
    events: usize,
}

impl Observer for Tape {
    fn handled(&self, _now: u64, inputs: &[Input], effects: &[Effect]) {
        let mut calls = self.0.lock().expect("no panic");
        calls.inputs.extend_from_slice(inputs);
        calls.batches.push(inputs.len());
        calls.events += effects.iter().filter(|effect| matches!(effect, Effect::Event(..))).count();
    }
}

impl Tape {
    /// Events the plugin has told so far.
    pub(crate) fn events(&self) -> usize {
        self.0.lock().expect("no panic").events
    }

    /// Inputs of a kind so far.
    pub(crate) fn count(&self, kind: fn(&Input) -> bool) -> usize {
        self.0.lock().expect("no panic").inputs.iter().filter(|input| kind(input)).count()
    }

    /// What each call was given so far.
    pub(crate) fn calls(&self) -> Vec<Vec<Input>> {
        let calls = self.0.lock().expect("no panic");
        let mut inputs = calls.inputs.iter().cloned();
        calls.batches.iter().map(|count| inputs.by_ref().take(*count).collect()).collect()
    }

    /// The turns the plugin was given so far.
    pub(crate) fn turns(&self) -> Vec<Turn> {
        let turn = |input: &Input| if let Input::StartTurn(turn) = input { Some(turn.clone()) } else { None };
        self.0.lock().expect("no panic").inputs.iter().filter_map(turn).collect()
    }

    /// Waits until the plugin was given as many inputs of a kind.
    pub(crate) async fn until(&self, wanted: usize, kind: fn(&Input) -> bool) {
        let enough = async {
            while self.count(kind) < wanted {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), enough).await.expect("the input came");
    }
}
