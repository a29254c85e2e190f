//! How requests get from the CLI to the model and responses back: by the CLI itself, or over its client (PROTOCOL section
//! 10; seen with 1.0.102, see `tests/it/real_cli` and ARCHITECTURE). It takes parts that come together in any order, here
//! in the worst one.

use crate::endpoint::{Question, Step, whole};
use crate::rig::{Asked, Rig};
use crate::server::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use llm_provider_guest::http::{Request, RequestId};
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::provider::Input;
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};

const ENDPOINT: &str = "http://127.0.0.1:9/v1";

/// A request on its way.
pub(crate) struct Exchange {
    to: Asker,
    steps: VecDeque<Step>,
}

/// Who asked the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asker {
    /// The CLI, under its name for the request.
    Cli(String),
    /// The host, for the plugin.
    Host(RequestId),
}

/// What a run has met: a property of nothing is worth nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    pub(crate) handed: u64,
    pub(crate) binary: u64,
    pub(crate) failed: u64,
    pub(crate) given_up: u64,
    pub(crate) unwanted: u64,
    pub(crate) side_by_side: u64,
}

impl Met {
    fn each(&mut self) -> [&mut u64; 6] {
        let Self { handed, binary, failed, given_up, unwanted, side_by_side } = self;
        [handed, binary, failed, given_up, unwanted, side_by_side]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mut other = *other;
        self.each().into_iter().zip(other.each()).for_each(|(sum, more)| *sum += *more);
    }

    /// How often the rarest was met.
    pub(crate) fn least(mut self) -> u64 {
        self.each().into_iter().map(|count| *count).min().unwrap_or(0)
    }
}

impl Server {
    /// Sends a request without the client.
    pub(crate) fn send_directly(&mut self, id: String, body: &[u8]) {
        let steps = self.endpoint.ask(body, &mut self.dice);
        self.exchanges.push(Exchange { to: Asker::Cli(id), steps });
    }

    /// Hands a request to the client, at times with another one beside it that is of no session.
    pub(crate) fn hand_over(&mut self, id: &str, body: &[u8], rig: &mut Rig) {
        let call = &self.calls[id];
        let bearer = format!("Bearer {}", self.live[&call.session].key);
        let start = json!({"requestId": id, "sessionId": call.session, "agentId": call.session, "method": "POST",
            "url": format!("{ENDPOINT}/chat/completions"), "headers": {"authorization": [bearer]}, "transport": "http"});
        let beside = self.dice.below(4) == 0;
        self.tell("httpRequestStart", start, rig);
        let beside = beside.then(|| self.ask_beside(rig));
        let pieces = self.dice.cut(body);
        let last = pieces.len() - 1;
        for (at, piece) in pieces.iter().enumerate() {
            let data = self.data(piece);
            let mut chunk = json!({"requestId": id, "end": at == last});
            chunk.as_object_mut().unwrap().extend(data);
            self.tell("httpRequestChunk", chunk, rig);
        }
        if let Some(beside) = beside {
            self.tell("httpRequestChunk", json!({"requestId": beside, "data": "", "end": true}), rig);
        }
        self.met.handed += 1;
    }

    fn ask_beside(&mut self, rig: &mut Rig) -> String {
        let id = self.name("beside");
        self.beside.insert(id.clone(), Vec::new());
        let url = format!("{ENDPOINT}/models?for={id}");
        let start = json!({"requestId": id, "method": "GET", "url": url, "headers": {}});
        self.tell("httpRequestStart", start, rig);
        id
    }

    /// Bytes as the protocol carries them: what is no text as base64, and what is text sometimes too.
    fn data(&mut self, bytes: &[u8]) -> serde_json::Map<String, Value> {
        let text = std::str::from_utf8(bytes).ok().filter(|_| self.dice.below(4) > 0);
        let data = match text {
            Some(text) => json!({"data": text, "binary": false}),
            None => json!({"data": STANDARD.encode(bytes), "binary": true}),
        };
        data.as_object().unwrap().clone()
    }

    /// A request of the CLI to its client, which answers at once.
    fn tell(&mut self, method: &str, params: Value, rig: &mut Rig) {
        let id = self.name("theirs");
        rig.frame(&json!({"id": id, "method": format!("llmInference.{method}"), "params": params}).to_string());
        let answer = rig.answers.pop().expect("an answer");
        assert_eq!((&answer["id"], &answer["result"]), (&json!(id), &json!({})), "{params}");
    }

    /// The CLI wants no more of what it asks for a session.
    pub(crate) fn give_up(&mut self, session: &str, rig: &mut Rig) {
        let of = |(id, call): (&String, &crate::calls::Call)| (call.session == session).then(|| id.clone());
        let ids: Vec<String> = self.calls.iter().filter_map(of).collect();
        for id in ids {
            self.calls.remove(&id);
            if self.hosted {
                self.met.given_up += 1;
                let chunk = json!({"requestId": id, "data": "", "end": true, "cancel": true,
                    "cancelReason": "runtime cancelled the request"});
                self.tell("httpRequestChunk", chunk, rig);
            }
        }
    }

    /// A part of a response that the client has.
    pub(crate) fn response(&mut self, asked: &Asked, rig: &mut Rig) {
        let params = &asked.params;
        let id = params["requestId"].as_str().unwrap().to_owned();
        let wanted = self.calls.contains_key(&id) || self.beside.contains_key(&id);
        self.met.unwanted += u64::from(!wanted);
        let accepted = json!({"id": asked.id, "result": {"accepted": wanted}}).to_string();
        let early = self.dice.heads();
        if early {
            rig.frame(&accepted);
        }
        if let Some(status) = params["status"].as_u64() {
            self.answers(&id, u16::try_from(status).unwrap());
        } else if wanted {
            self.part(&id, params, rig);
        }
        if !early {
            rig.frame(&accepted);
        }
    }

    fn part(&mut self, id: &str, params: &Value, rig: &mut Rig) {
        let data = params["data"].as_str().unwrap();
        let binary = params["binary"] == true;
        self.met.binary += u64::from(binary);
        let data = if binary { STANDARD.decode(data).unwrap() } else { data.as_bytes().to_vec() };
        if let Some(got) = self.beside.get_mut(id) {
            got.extend(data);
            if params["end"] == true || params.get("error").is_some() {
                let got = self.beside.remove(id).unwrap();
                assert_eq!(got, models(id), "a response goes to the request that it answers");
            }
            return;
        }
        self.goes_on(id, &data, rig);
        if let Some(error) = params.get("error") {
            self.breaks(id, error["message"].as_str().unwrap(), rig);
        } else if params["end"] == true {
            self.ends(id, rig);
        }
    }

    /// What the plugin has sent over the host since the last look. What it gave up is over.
    fn receive(&mut self, rig: &Rig) {
        self.exchanges.retain(|exchange| match &exchange.to {
            Asker::Cli(id) => self.calls.contains_key(id),
            Asker::Host(id) => rig.http.contains_key(id),
        });
        let known: BTreeSet<RequestId> = self.exchanges.iter().filter_map(Exchange::of_host).collect();
        for (id, request) in rig.http.iter().filter(|(id, _)| !known.contains(id)) {
            // A hung one has no steps left and stays.
            let steps = self.arrive(request);
            self.exchanges.push(Exchange { to: Asker::Host(*id), steps });
        }
        self.met.side_by_side += u64::from(self.exchanges.iter().filter(|one| !one.steps.is_empty()).count() > 1);
    }

    fn arrive(&mut self, request: &Request) -> VecDeque<Step> {
        if let Some(name) = request.url.strip_prefix(&format!("{ENDPOINT}/models?for=")) {
            assert_eq!((request.method.as_str(), request.headers.len(), request.body.len()), ("GET", 0, 0));
            return whole(200, &models(name), &mut self.dice);
        }
        assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", &*format!("{ENDPOINT}/chat/completions")));
        let key = Chunk::Secret(SecretRef { name: "key".into(), encoding: SecretEncoding::Raw });
        let [header] = &request.headers[..] else { panic!("{:?}", request.headers) };
        assert_eq!((header.name.as_str(), &header.value[..]), ("authorization", &[bytes("Bearer "), key][..]));
        let [Chunk::Bytes(body)] = &request.body[..] else { panic!("{:?}", request.body) };
        self.endpoint.ask(body, &mut self.dice)
    }

    /// Answers everything that was asked, and lets come what is on its way, in any order.
    pub(crate) fn serve(&mut self, rig: &mut Rig) {
        loop {
            self.receive(rig);
            let asked = rig.sidecar.is_some() && !rig.asked.is_empty();
            let due: Vec<usize> =
                (0..self.exchanges.len()).filter(|at| !self.exchanges[*at].steps.is_empty()).collect();
            if asked && (due.is_empty() || self.dice.heads()) {
                let asked = take(rig);
                self.answer(&asked, rig);
            } else if due.is_empty() {
                return;
            } else {
                let at = due[self.dice.below(due.len())];
                self.step(at, rig);
            }
        }
    }

    fn step(&mut self, at: usize, rig: &mut Rig) {
        let exchange = &mut self.exchanges[at];
        let (to, step) = (exchange.to.clone(), exchange.steps.pop_front().expect("it is due"));
        let last = matches!(step, Step::End | Step::Fail(_));
        if last {
            self.exchanges.remove(at);
        }
        match (step, to) {
            (Step::Kill, _) => self.killed(rig),
            (Step::Hang(turn), _) => self.endpoint.hang(turn),
            (Step::Head(status), Asker::Cli(id)) => self.answers(&id, status),
            (Step::Body(data), Asker::Cli(id)) => self.goes_on(&id, &data, rig),
            (Step::End, Asker::Cli(id)) => self.ends(&id, rig),
            (Step::Fail(_), Asker::Cli(id)) => self.breaks(&id, "Connection reset by peer", rig),
            (Step::Head(status), Asker::Host(id)) => {
                rig.http_head(id, status, &[("content-type", "text/event-stream")])
            }
            (Step::Body(data), Asker::Host(id)) => rig.http_chunk(id, &data),
            (Step::End, Asker::Host(id)) => {
                rig.http.remove(&id);
                rig.give(Input::HttpEnd(id));
            }
            (Step::Fail(kind), Asker::Host(id)) => {
                self.met.failed += 1;
                rig.http_failed(id, kind, "the host could not");
            }
        }
    }

    /// Nothing is asked for a turn that is over, not even until the CLI says so.
    pub(crate) fn assert_given_up(&self, turn: u64, rig: &Rig) {
        let bodies = rig.http.values().flat_map(|request| &request.body);
        for body in bodies {
            let Chunk::Bytes(body) = body else { panic!("a secret in a body") };
            let question: Question = serde_json::from_slice(body).unwrap();
            assert_ne!(self.endpoint.turn(&question.session), Some(turn), "a request outlives its turn");
        }
    }

    fn killed(&mut self, rig: &mut Rig) {
        self.crashed(true);
        rig.exited(137, "");
        assert!(rig.http.is_empty(), "nobody waits for these any more: {:?}", rig.http);
    }
}

impl Exchange {
    fn of_host(&self) -> Option<RequestId> {
        if let Asker::Host(id) = self.to { Some(id) } else { None }
    }
}

/// The oldest request of the client's; of parts of one response that come together, the newest.
fn take(rig: &mut Rig) -> Asked {
    let part = |asked: &Asked| asked.method.starts_with("llmInference.httpResponse");
    let first = rig.asked[0].clone();
    let of_it = |asked: &Asked| part(asked) && asked.params["requestId"] == first.params["requestId"];
    let at = if part(&first) { rig.asked.iter().rposition(of_it).unwrap_or(0) } else { 0 };
    rig.asked.remove(at)
}

/// What is answered to a request that is of no session: not all of it is text.
fn models(name: &str) -> Vec<u8> {
    [format!("models for {name} h\u{e9}\u{1f600}").as_bytes(), b"\xff"].concat()
}

fn bytes(text: &str) -> Chunk {
    Chunk::Bytes(text.as_bytes().to_vec())
}

/// Failures of the host's HTTP.
pub(crate) const FAILURES: [FailureKind; 8] = [
    FailureKind::Broken,
    FailureKind::Broken,
    FailureKind::Connect,
    FailureKind::Timeout,
    FailureKind::Dns,
    FailureKind::Denied,
    FailureKind::Tls,
    FailureKind::TooLarge,
];
