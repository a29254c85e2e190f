//! The reference: a CLI that keeps sessions as the real one was seen to (PROTOCOL sections 2 to 4).

use crate::calls::Call;
use crate::dice::Dice;
use crate::endpoint::Endpoint;
use crate::handed::{Exchange, Met};
use crate::items::{Item, NO_SUCH_TOOL, Offered, of_log};
use crate::rig::{Asked, Rig, SECRET};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A turn that waits for the results of tools.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// The prompt it answers.
    pub(crate) origin: Option<String>,
    /// Calls in order, each with the name of its request; none for a call that the CLI answers itself.
    pub(crate) calls: Vec<(String, Option<String>)>,
    pub(crate) results: BTreeMap<String, String>,
    /// What the user said meanwhile.
    pub(crate) steering: Vec<String>,
}

/// A session on disk.
#[derive(Clone, Debug, Default)]
struct Log {
    items: Vec<Item>,
    waiting: Option<Waiting>,
    /// What stands on disk in the place of an answer that came in parts: only its last part does.
    gaps: BTreeMap<usize, Item>,
}

impl Log {
    /// What was in memory is gone.
    fn unload(&mut self) {
        for (at, item) in std::mem::take(&mut self.gaps) {
            if let Some(place) = self.items.get_mut(at) {
                *place = item;
            }
        }
    }
}

/// What a session is opened with.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) system: String,
    pub(crate) tools: Vec<Offered>,
    /// What it has for the endpoint's key.
    pub(crate) key: String,
}

pub(crate) struct Server {
    disk: BTreeMap<String, Log>,
    /// Sessions in memory.
    pub(crate) live: BTreeMap<String, Session>,
    used: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// Sessions of instances that ended without a word.
    orphans: BTreeSet<String>,
    /// The client is this process's way out.
    pub(crate) hosted: bool,
    /// Requests to the model that are under way.
    pub(crate) calls: BTreeMap<String, Call>,
    /// Requests of no session, with what came of their responses.
    pub(crate) beside: BTreeMap<String, Vec<u8>>,
    pub(crate) endpoint: Endpoint,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) dice: Dice,
    pub(crate) met: Met,
    next: u64,
}

impl Server {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            disk: BTreeMap::new(),
            live: BTreeMap::new(),
            used: BTreeSet::new(),
            deleted: BTreeSet::new(),
            orphans: BTreeSet::new(),
            hosted: false,
            calls: BTreeMap::new(),
            beside: BTreeMap::new(),
            endpoint: Endpoint::default(),
            exchanges: Vec::new(),
            dice: Dice::new(seed),
            met: Met::default(),
            next: 0,
        }
    }

    /// Adds something to every log that nobody said.
    pub(crate) fn tamper(&mut self) {
        self.disk.values_mut().for_each(|log| log.items.push(Item::User("never said".into())));
    }

    /// The process has ended: what was in memory is gone. What was written last may not be on disk.
    pub(crate) fn crashed(&mut self, flushed: bool) {
        self.unload();
        self.calls.clear();
        self.beside.clear();
        self.exchanges.clear();
        self.hosted = false;
        if !flushed {
            for log in self.disk.values_mut() {
                if log.waiting.take().is_none() {
                    log.items.pop();
                }
            }
        }
    }

    /// The instance has ended without a word; another begins.
    pub(crate) fn orphaned(&mut self) {
        self.orphans = self.disk.keys().cloned().collect();
    }

    /// Sessions that the instance has on disk.
    pub(crate) fn kept(&self) -> usize {
        self.disk.keys().filter(|name| !self.orphans.contains(*name)).count()
    }

    fn unload(&mut self) {
        self.live.clear();
        self.disk.values_mut().for_each(Log::unload);
    }

    /// Sessions are deleted under the process that has them.
    pub(crate) fn forget(&mut self) {
        self.live.clear();
        self.disk.clear();
    }

    /// The directory is gone. A process that runs has its sessions in memory and goes on; one that does not, has lost them.
    pub(crate) fn lose_home(&mut self, runs: bool) {
        if !runs {
            self.disk.clear();
        }
    }

    /// A request of the client's.
    pub(crate) fn answer(&mut self, asked: &Asked, rig: &mut Rig) {
        let params = &asked.params;
        let name = params["sessionId"].as_str().unwrap_or_default().to_owned();
        let lives = self.live.contains_key(&name);
        let goes_on = matches!(asked.method.as_str(), "session.create" | "session.resume" | "session.send");
        assert!(!goes_on || !self.deleted.contains(&name), "what was deleted is not asked for again");
        let ok = |rig: &mut Rig, result: Value| rig.frame(&json!({"id": asked.id, "result": result}).to_string());
        match asked.method.as_str() {
            "connect" => {
                // A new process has nothing in memory, however the last one ended.
                self.unload();
                ok(rig, json!({"ok": true, "protocolVersion": 3, "version": "1.0.102"}));
            }
            "llmInference.setProvider" if self.live.is_empty() => {
                self.hosted = true;
                ok(rig, json!({"success": true}));
            }
            "llmInference.setProvider" => {
                refuse(rig, asked, "Cannot set LLM inference provider while sessions are active.")
            }
            "llmInference.httpResponseStart" | "llmInference.httpResponseChunk" => self.response(asked, rig),
            "session.create" => {
                assert!(self.used.insert(name.clone()), "no name of a session is used twice");
                self.disk.insert(name.clone(), Log::default());
                self.live.insert(name, self.session(params));
                ok(rig, json!({}));
            }
            "session.resume" => match self.disk.get_mut(&name) {
                Some(log) => {
                    if params["continuePendingWork"] != true {
                        log.waiting = None;
                    }
                    self.live.insert(name, self.session(params));
                    ok(rig, json!({}));
                }
                None => refuse(rig, asked, "Failed to load session events: Session not found: x"),
            },
            "session.send" if lives => self.send(&name, asked, rig),
            "session.send" => refuse(rig, asked, "Session not found for sessionId: x"),
            "session.tools.handlePendingToolCall" => self.tool_answered(&name, asked, rig),
            "session.abort" if lives => {
                self.give_up(&name, rig);
                if let Some(log) = self.disk.get_mut(&name) {
                    log.waiting = None;
                }
                ok(rig, json!({"success": true}));
            }
            "session.abort" => refuse(rig, asked, "Session not found for sessionId: x"),
            "session.destroy" => {
                self.give_up(&name, rig);
                self.disk.get_mut(&name).into_iter().for_each(Log::unload);
                ok(rig, json!({"success": self.live.remove(&name).is_some()}));
            }
            "session.delete" => {
                assert!(!self.live.contains_key(&name), "what is in memory is unloaded first");
                self.deleted.insert(name.clone());
                ok(rig, json!({"success": self.disk.remove(&name).is_some()}));
            }
            "runtime.shutdown" => {
                self.unload();
                ok(rig, Value::Null);
            }
            "ping" => ok(rig, json!({})),
            _ => ok(rig, json!({"success": true})),
        }
    }

    fn send(&mut self, name: &str, asked: &Asked, rig: &mut Rig) {
        let prompt = asked.params["prompt"].as_str().unwrap().to_owned();
        let id = self.name("send");
        rig.frame(&json!({"id": asked.id, "result": {"messageId": id}}).to_string());
        let log = self.disk.get_mut(name).expect("a live session has a log");
        if let Some(waiting) = &mut log.waiting {
            assert_eq!(asked.params["mode"], "immediate", "anything else would wait for a turn of its own");
            waiting.steering.push(prompt);
            return;
        }
        log.items.push(Item::User(prompt));
        rig.event(name, "user.message", json!({"messageId": id, "content": "?"}));
        self.call_model(name, Some(id), rig);
    }

    fn tool_answered(&mut self, name: &str, asked: &Asked, rig: &mut Rig) {
        let request = asked.params["requestId"].as_str().unwrap();
        let text = asked.params["result"]["textResultForLlm"].as_str().unwrap().to_owned();
        let log = self.disk.get_mut(name).filter(|_| self.live.contains_key(name));
        let waiting = log.and_then(|log| log.waiting.as_mut());
        let call = waiting.as_ref().and_then(|waiting| {
            let of = |(_, known): &&(String, Option<String>)| known.as_deref() == Some(request);
            waiting.calls.iter().find(of).map(|(call, _)| call.clone())
        });
        let taken = call.is_some();
        if let (Some(waiting), Some(call)) = (waiting, call) {
            assert!(waiting.results.insert(call, text).is_none(), "a call is answered once");
        }
        rig.frame(&json!({"id": asked.id, "result": {"success": taken}}).to_string());
        if taken {
            self.go_on(name, rig);
        }
    }

    /// With all results there, the model is asked again.
    fn go_on(&mut self, name: &str, rig: &mut Rig) {
        let Some(log) = self.disk.get_mut(name) else { return };
        let Some(waiting) = log.waiting.take_if(|waiting| waiting.results.len() == waiting.calls.len()) else { return };
        let results = waiting.calls.iter().map(|(call, _)| (call.clone(), waiting.results[call].clone()));
        let mut results: Vec<Item> = results.map(|(id, content)| Item::Result { id, content }).collect();
        log.items.extend(results.clone());
        results.retain(|result| !matches!(result, Item::Result { content, .. } if content == NO_SUCH_TOOL));
        log.items.extend(waiting.steering.into_iter().map(Item::User));
        // Within a turn the caller learns of calls and results as they come.
        if let Some(expected) = self.endpoint.of(name) {
            expected.items.extend(results);
        }
        self.call_model(name, waiting.origin, rig);
    }

    /// What a model is shown of a session.
    pub(crate) fn seen(&self, name: &str) -> Vec<Item> {
        of_log(&self.disk[name].items)
    }

    pub(crate) fn log(&mut self, name: &str, item: Item) {
        self.disk.get_mut(name).unwrap().items.push(item);
    }

    /// The last answer came in parts.
    pub(crate) fn gap(&mut self, name: &str, last_part: &str) {
        let log = self.disk.get_mut(name).unwrap();
        log.gaps.insert(log.items.len() - 1, Item::Model(last_part.to_owned()));
    }

    /// The session's turn waits for the results of tools.
    pub(crate) fn wait(&mut self, name: &str, waiting: Waiting) {
        self.disk.get_mut(name).unwrap().waiting = Some(waiting);
    }

    /// Puts a summary in the place of a conversation.
    pub(crate) fn shorten(&mut self, name: &str) {
        let log = self.disk.get_mut(name).unwrap();
        log.items = vec![Item::User("a summary of all that".into())];
        log.gaps.clear();
    }

    pub(crate) fn name(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("{kind}-{}", self.next)
    }

    /// What a session is opened with: its key is the endpoint's only where the CLI needs it.
    fn session(&self, params: &Value) -> Session {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let key = text(&params["provider"]["apiKey"]);
        let real = serde_json::from_str::<String>(&format!("\"{SECRET}\"")).unwrap();
        assert_eq!(key == real, !self.hosted, "the key is where it is needed");
        let offered = |tool: &Value| serde_json::from_value(tool.clone()).unwrap();
        let tools = params["tools"].as_array().unwrap().iter().map(offered).collect();
        Session { system: text(&params["systemMessage"]["content"]), tools, key }
    }
}

fn refuse(rig: &mut Rig, asked: &Asked, message: &str) {
    let error = json!({"code": -32603, "message": format!("Request {} failed with message: {message}", asked.method)});
    rig.frame(&json!({"id": asked.id, "error": error}).to_string());
}
