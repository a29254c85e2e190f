//! The reference: a CLI that keeps sessions as the real one was seen to (PROTOCOL sections 2 to 4), and a model behind it
//! that compares every request with what the caller has.

use crate::caller::Reply;
use crate::items::{Item, NO_SUCH_TOOL, of_log};
use crate::rig::{Asked, Rig};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a request to the model must hold.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) items: Vec<Item>,
    pub(crate) system: String,
    pub(crate) tools: Vec<String>,
}

/// A turn that waits for the results of tools.
#[derive(Clone, Debug)]
struct Waiting {
    /// The prompt it answers.
    origin: Option<String>,
    /// Calls in order, each with the name of its request; none for a call that the CLI answers itself.
    calls: Vec<(String, Option<String>)>,
    results: BTreeMap<String, String>,
    /// What the user said meanwhile.
    steering: Vec<String>,
}

/// A session on disk.
#[derive(Clone, Debug, Default)]
struct Log {
    items: Vec<Item>,
    waiting: Option<Waiting>,
}

#[derive(Default)]
pub(crate) struct Server {
    disk: BTreeMap<String, Log>,
    /// Sessions in memory, with system prompt and tools.
    live: BTreeMap<String, (String, Vec<String>)>,
    used: BTreeSet<String>,
    pub(crate) script: VecDeque<Reply>,
    pub(crate) expected: Option<Expected>,
    pub(crate) hung: bool,
    pub(crate) model_calls: u64,
    next: u64,
}

impl Server {
    /// Adds something to every log that nobody said.
    pub(crate) fn tamper(&mut self) {
        self.disk.values_mut().for_each(|log| log.items.push(Item::User("never said".into())));
    }

    /// The process has ended: what was in memory is gone. What was written last may not be on disk.
    pub(crate) fn crashed(&mut self, flushed: bool) {
        self.live.clear();
        self.hung = false;
        if !flushed {
            for log in self.disk.values_mut() {
                if log.waiting.take().is_none() {
                    log.items.pop();
                }
            }
        }
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

    /// Answers everything that was asked.
    pub(crate) fn serve(&mut self, rig: &mut Rig) {
        while rig.sidecar.is_some() && !rig.asked.is_empty() {
            let asked = rig.asked.remove(0);
            self.answer(&asked, rig);
        }
    }

    fn answer(&mut self, asked: &Asked, rig: &mut Rig) {
        let params = &asked.params;
        let name = params["sessionId"].as_str().unwrap_or_default().to_owned();
        let lives = self.live.contains_key(&name);
        let ok = |rig: &mut Rig, result: Value| rig.frame(&json!({"id": asked.id, "result": result}).to_string());
        match asked.method.as_str() {
            "connect" => ok(rig, json!({"ok": true, "protocolVersion": 3, "version": "1.0.102"})),
            "session.create" => {
                assert!(self.used.insert(name.clone()), "no name of a session is used twice");
                self.disk.insert(name.clone(), Log::default());
                self.live.insert(name, options(params));
                ok(rig, json!({}));
            }
            "session.resume" => match self.disk.get_mut(&name) {
                Some(log) => {
                    if params["continuePendingWork"] != true {
                        log.waiting = None;
                    }
                    self.live.insert(name, options(params));
                    ok(rig, json!({}));
                }
                None => refuse(rig, asked, "Failed to load session events: Session not found: x"),
            },
            "session.send" if lives => self.send(&name, asked, rig),
            "session.send" => refuse(rig, asked, "Session not found for sessionId: x"),
            "session.tools.handlePendingToolCall" => self.tool_answered(&name, asked, rig),
            "session.abort" if lives => {
                if let Some(log) = self.disk.get_mut(&name) {
                    log.waiting = None;
                }
                ok(rig, json!({"success": true}));
            }
            "session.abort" => refuse(rig, asked, "Session not found for sessionId: x"),
            "session.destroy" => ok(rig, json!({"success": self.live.remove(&name).is_some()})),
            "runtime.shutdown" => {
                self.live.clear();
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
        if let Some(expected) = self.expected.as_mut().filter(|expected| !expected.items.ends_with(&results)) {
            let told = expected.items.iter().any(|item| results.contains(item));
            expected.items.extend(results.into_iter().filter(|_| !told));
        }
        self.call_model(name, waiting.origin, rig);
    }

    fn call_model(&mut self, name: &str, origin: Option<String>, rig: &mut Rig) {
        let expected = self.expected.clone().expect("nobody asks the model but for a turn");
        let items = of_log(&self.disk[name].items);
        assert_eq!(items, expected.items, "the model does not see the caller's conversation");
        let (system, tools) = &self.live[name];
        assert_eq!((system, tools), (&expected.system, &expected.tools), "nor its options");
        self.model_calls += 1;
        rig.event(name, "assistant.turn_start", json!({"turnId": "0"}));
        let reply = self.script.pop_front().unwrap_or(Reply::Text);
        self.reply(name, origin.as_deref(), reply, rig);
    }

    fn reply(&mut self, name: &str, origin: Option<&str>, reply: Reply, rig: &mut Rig) {
        match reply {
            Reply::Text => self.speak(name, origin, true, rig),
            Reply::LostIdle => self.speak(name, origin, false, rig),
            Reply::Length => {
                // The CLI asks the model to go on; only the last part gets a message of its own.
                let part = self.name("part");
                rig.event(name, "assistant.message_delta", json!({"messageId": part, "deltaContent": "cut "}));
                rig.event(name, "assistant.usage", json!({"outputTokens": 1, "finishReason": "length"}));
                rig.event(name, "assistant.turn_end", json!({"turnId": "0"}));
                rig.event(name, "assistant.turn_start", json!({"turnId": "1"}));
                let text = self.speak_text(name, origin, rig);
                self.log(name, Item::Model(format!("cut {text}")));
                self.finish(name, true, rig);
            }
            Reply::Retried => {
                let void = self.name("void");
                rig.event(name, "assistant.message_delta", json!({"messageId": void, "deltaContent": "void"}));
                rig.event(name, "assistant.turn_retry", json!({"turnId": "0", "reason": "reset"}));
                self.speak(name, origin, true, rig);
            }
            Reply::Compaction => {
                rig.event(name, "session.compaction_start", json!({}));
                self.speak(name, origin, true, rig);
                let log = self.disk.get_mut(name).unwrap();
                log.items = vec![Item::User("a summary of all that".into())];
            }
            Reply::Calls { .. } if self.live[name].1.is_empty() => self.speak(name, origin, true, rig),
            Reply::Calls { calls, unknown } => self.call(name, origin, calls, unknown, rig),
            Reply::Error => {
                let error = json!({"errorType": "query", "statusCode": 400, "message": "400 no", "originatingMessageId": origin});
                rig.event(name, "session.error", error);
                rig.event(name, "session.idle", json!({}));
            }
            Reply::Crash => {
                rig.event(name, "assistant.message_delta", json!({"messageId": "dead", "deltaContent": "half"}));
                self.crashed(true);
                rig.exited(137, "");
            }
            Reply::Hang { .. } => {
                rig.event(name, "assistant.message_delta", json!({"messageId": "dead", "deltaContent": "half"}));
                self.hung = true;
            }
        }
    }

    fn speak(&mut self, name: &str, origin: Option<&str>, idle: bool, rig: &mut Rig) {
        let text = self.speak_text(name, origin, rig);
        self.log(name, Item::Model(text));
        self.finish(name, idle, rig);
    }

    fn speak_text(&mut self, name: &str, origin: Option<&str>, rig: &mut Rig) -> String {
        let (message, text) = (self.name("message"), self.name("said"));
        let (first, rest) = text.split_at(2);
        for part in [first, rest] {
            rig.event(name, "assistant.message_delta", json!({"messageId": message, "deltaContent": part}));
        }
        rig.event(name, "assistant.usage", json!({"inputTokens": 1, "outputTokens": 1, "finishReason": "stop"}));
        let whole = json!({"messageId": message, "originatingMessageId": origin, "content": text, "toolRequests": []});
        rig.event(name, "assistant.message", whole);
        text
    }

    fn finish(&mut self, name: &str, idle: bool, rig: &mut Rig) {
        rig.event(name, "assistant.turn_end", json!({"turnId": "0"}));
        if idle {
            rig.event(name, "session.idle", json!({}));
        } else {
            self.hung = true;
        }
    }

    fn call(&mut self, name: &str, origin: Option<&str>, count: u8, unknown: bool, rig: &mut Rig) {
        let tool = self.live[name].1[0].clone();
        let ids: Vec<String> = (0..count).map(|_| self.name("call")).collect();
        let requests: Vec<Value> =
            ids.iter().map(|id| json!({"toolCallId": id, "name": tool, "arguments": {}})).collect();
        let message = json!({"messageId": self.name("message"), "originatingMessageId": origin, "content": "",
            "toolRequests": requests});
        rig.event(name, "assistant.usage", json!({"inputTokens": 1, "outputTokens": 1, "finishReason": "tool_calls"}));
        let items = |id: &String| Item::Call { id: id.clone(), name: tool.clone(), arguments: "{}".into() };
        for item in ids.iter().map(items) {
            self.log(name, item.clone());
            self.expected.as_mut().unwrap().items.push(item);
        }
        let mut waiting = Waiting {
            origin: origin.map(str::to_owned),
            calls: ids.iter().map(|id| (id.clone(), Some(format!("r-{id}")))).collect(),
            results: BTreeMap::new(),
            steering: Vec::new(),
        };
        // The last of several is one that the CLI answers itself.
        let own = ids.last().filter(|_| unknown && count > 1).cloned();
        if let Some(own) = &own {
            waiting.results.insert(own.clone(), NO_SUCH_TOOL.into());
        }
        self.disk.get_mut(name).unwrap().waiting = Some(waiting);
        rig.event(name, "assistant.message", message);
        for id in ids.iter().filter(|id| Some(*id) != own.as_ref()) {
            let data = json!({"requestId": format!("r-{id}"), "toolCallId": id, "toolName": tool, "arguments": {}});
            rig.event(name, "external_tool.requested", data);
        }
        if let Some(own) = own {
            rig.event(name, "tool.execution_complete", json!({"toolCallId": own, "success": false}));
        }
    }

    fn log(&mut self, name: &str, item: Item) {
        self.disk.get_mut(name).unwrap().items.push(item);
    }

    fn name(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("{kind}-{}", self.next)
    }
}

fn options(params: &Value) -> (String, Vec<String>) {
    let tools = params["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
    (params["systemMessage"]["content"].as_str().unwrap().to_owned(), tools.collect())
}

fn refuse(rig: &mut Rig, asked: &Asked, message: &str) {
    let error = json!({"code": -32603, "message": format!("Request {} failed with message: {message}", asked.method)});
    rig.frame(&json!({"id": asked.id, "error": error}).to_string());
}
