//! A conversation.

use super::run::Run;
use llm_provider_core::digest::{Chain, Fields};
use llm_provider_guest::types::{SessionId, Usage};

/// What the CLI has on disk under a name, when that is exactly the caller's conversation.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Its name: a UUID.
    pub(super) name: String,
    /// The conversation.
    pub(super) has: Chain,
    /// The cost so far as the CLI told it: it tells the sums since the conversation began, not since the process did.
    pub(super) reported: Usage,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Session {
    /// As the host names it.
    pub(super) id: SessionId,
    /// Names so far, so that none is used twice.
    generation: u64,
    /// What the CLI has, while it is known and no turn runs.
    pub(super) server: Option<Server>,
    /// The last turn left the CLI's history in doubt.
    pub(super) spoilt: bool,
    /// The turn that runs.
    pub(super) run: Option<Run>,
}

impl Session {
    /// A conversation that has not begun.
    pub(super) fn new(id: SessionId) -> Self {
        Self { id, generation: 0, server: None, spoilt: false, run: None }
    }

    /// The next name: a UUID, since the CLI begins a conversation under nothing else. Made from the seed, with the
    /// version (4) and variant bits that say "random".
    pub(super) fn next_name(&mut self, seed: u64) -> String {
        self.generation += 1;
        let fields = Fields::new("one-shot").field(&seed.to_le_bytes()).field(&self.id.to_le_bytes());
        let digits = fields.field(&self.generation.to_le_bytes()).digest().hex(16);
        let mut name = String::with_capacity(36);
        for (at, digit) in digits.chars().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                name.push('-');
            }
            name.push(match at {
                12 => '4',
                16 => 'a',
                _ => digit,
            });
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_uuids_and_never_come_twice() {
        let mut names = BTreeSet::new();
        for seed in 0..4 {
            for id in 0..4 {
                let mut session = Session::new(id);
                for _ in 0..4 {
                    let name = session.next_name(seed);
                    let parts: Vec<usize> = name.split('-').map(str::len).collect();
                    assert_eq!(parts, [8, 4, 4, 4, 12], "{name}");
                    assert!(name.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()), "{name}");
                    assert!(names.insert(name));
                }
            }
        }
    }
}
