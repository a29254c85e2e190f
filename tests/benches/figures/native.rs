//! The plugin's core without a sandbox: what the figures are compared with.

use llm_provider_copilot::{Copilot, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::SidecarEffect;
use llm_provider_guest::provider::{Input, Setup, SidecarBytes, SidecarStart, Turn, TurnOptions};
use llm_provider_guest::secrets::Chunk;
use llm_provider_guest::sidecar_types::Started;
use llm_provider_guest::types::{Block, Message, Role, TextBlock};

/// A native instance.
pub(crate) struct Native {
    plugin: Copilot,
    sidecar: u64,
}

impl Native {
    pub(crate) fn new(config: &str) -> Self {
        let setup = Setup { config: config.to_owned(), secrets: Vec::new(), seed: 7 };
        Self { plugin: Copilot::configure(setup).expect("a valid configuration"), sidecar: 0 }
    }

    /// Starts a turn and the sidecar; gives back what is written to it.
    pub(crate) fn begin(&mut self) -> Vec<Vec<u8>> {
        let options = TurnOptions::default();
        let text = Block::Text(TextBlock { text: "go".into() });
        let history = vec![Message { role: Role::User, blocks: vec![text] }];
        let turn = Turn { session: 1, id: 2, history, options };
        for effect in self.handle(vec![Input::OpenSession(1), Input::StartTurn(turn)]) {
            if let Effect::Sidecar(SidecarEffect::Start(id, _)) = effect {
                self.sidecar = id;
            }
        }
        let started = Started { version: "1.0.102".into(), working_directory: "/w".into(), ..Started::default() };
        let effects = self.handle(vec![Input::SidecarStarted(SidecarStart { id: self.sidecar, started })]);
        sent(effects)
    }

    /// Hands over output of the sidecar; gives back what is written to it, and how many effects there were.
    pub(crate) fn output(&mut self, data: &[u8]) -> (Vec<Vec<u8>>, usize) {
        let bytes = SidecarBytes { id: self.sidecar, data: data.to_vec() };
        let effects = self.handle(vec![Input::SidecarOutput(bytes)]);
        let count = effects.len();
        (sent(effects), count)
    }

    fn handle(&mut self, inputs: Vec<Input>) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.plugin.handle(1, inputs, &mut effects);
        effects
    }
}

fn sent(effects: Vec<Effect>) -> Vec<Vec<u8>> {
    let bytes = |chunk| match chunk {
        Chunk::Bytes(bytes) => bytes,
        Chunk::Secret(_) => Vec::new(),
    };
    let written = |effect| match effect {
        Effect::Sidecar(SidecarEffect::Send(_, chunks)) => Some(chunks.into_iter().flat_map(bytes).collect()),
        _ => None,
    };
    effects.into_iter().filter_map(written).collect()
}
