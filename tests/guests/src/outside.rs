//! Reaching for what is outside of the sandbox: other machines, programs, files.

use crate::effect::Effect;
use crate::plugin::answer;
use llm_provider_guest::effects::{HttpEffect, SidecarEffect};
use llm_provider_guest::http::{Header, Request};
use llm_provider_guest::provider::Input;
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};
use llm_provider_guest::sidecar::Spec;
use llm_provider_guest::types::TurnId;
use std::collections::BTreeMap;

/// Turns that wait for something outside, by the number of what they asked for.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    next: u64,
    requests: BTreeMap<u64, TurnId>,
    sidecars: BTreeMap<u64, TurnId>,
    spawning: BTreeMap<TurnId, Spawning>,
}

/// A turn that starts sidecars.
#[derive(Debug, Default)]
struct Spawning {
    wanted: u64,
    started: u64,
    failures: Vec<String>,
}

impl Outside {
    /// Does what `mode` says; false when it names nothing of the kind.
    pub(crate) fn start(&mut self, mode: &str, turn: TurnId, argument: &str, out: &mut Vec<Effect>) -> bool {
        let mut words = argument.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        match mode {
            "fetch" => self.send(turn, argument, Vec::new(), out),
            "header" => {
                let (url, name, value) = (word(), word(), word());
                let value = vec![Chunk::Bytes(value.as_bytes().to_vec())];
                self.send(turn, url, vec![Header { name: name.to_owned(), value }], out);
            }
            "headers" => {
                let (url, count) = (word(), word().parse::<usize>().unwrap_or(0));
                let header = |at| Header { name: format!("x-{at}"), value: vec![Chunk::Bytes(vec![b'v'])] };
                self.send(turn, url, (0..count).map(header).collect(), out);
            }
            "key" => {
                let (url, name, secret) = (word(), word(), word());
                let secret = SecretRef { name: secret.to_owned(), encoding: SecretEncoding::Raw };
                self.send(turn, url, vec![Header { name: name.to_owned(), value: vec![Chunk::Secret(secret)] }], out);
            }
            "spawn" => {
                let (count, name) = (word(), argument.split_once(' ').map_or("", |(_, name)| name));
                self.spawn(turn, count.parse().unwrap_or(1), name, out);
            }
            "files" => {
                answer(turn, &std::fs::read(argument).map_or_else(|_| "denied".to_owned(), |_| "read".to_owned()), out)
            }
            _ => return false,
        }
        true
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn send(&mut self, turn: TurnId, url: &str, headers: Vec<Header>, out: &mut Vec<Effect>) {
        let id = self.number();
        self.requests.insert(id, turn);
        let method = "GET".to_owned();
        let request = Request { method, url: url.to_owned(), headers, body: Vec::new(), first_byte_timeout: None };
        out.push(HttpEffect::Send(id, request).into());
    }

    fn spawn(&mut self, turn: TurnId, wanted: u64, name: &str, out: &mut Vec<Effect>) {
        self.spawning.insert(turn, Spawning { wanted, ..Spawning::default() });
        for _ in 0..wanted {
            let id = self.number();
            self.sidecars.insert(id, turn);
            let spec = Spec { name: name.to_owned(), settings: Vec::new(), secrets: Vec::new() };
            out.push(SidecarEffect::Start(id, spec).into());
        }
    }

    /// Takes what came of it; the turn's answer says what that was.
    pub(crate) fn take(&mut self, input: &Input, out: &mut Vec<Effect>) {
        match input {
            Input::HttpResponse(head) => {
                if let Some(turn) = self.requests.remove(&head.id) {
                    answer(turn, &format!("status {}", head.response.status), out);
                }
            }
            Input::HttpFailed(fault) => {
                if let Some(turn) = self.requests.remove(&fault.id) {
                    answer(turn, &format!("{:?}: {}", fault.failure.kind, fault.failure.message), out);
                }
            }
            Input::SidecarStarted(start) => self.spawned(start.id, None, out),
            Input::SidecarFailed(fault) => self.spawned(fault.id, Some(&fault.message), out),
            _ => {}
        }
    }

    fn spawned(&mut self, id: u64, failure: Option<&str>, out: &mut Vec<Effect>) {
        let Some(turn) = self.sidecars.remove(&id) else { return };
        let Some(spawning) = self.spawning.get_mut(&turn) else { return };
        match failure {
            None => spawning.started += 1,
            Some(failure) => spawning.failures.push(failure.to_owned()),
        }
        if spawning.started + spawning.failures.len() as u64 == spawning.wanted {
            let last = spawning.failures.last().cloned().unwrap_or_default();
            answer(turn, &format!("{} started; {last}", spawning.started), out);
            self.spawning.remove(&turn);
        }
    }
}
