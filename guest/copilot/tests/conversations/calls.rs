//! The reference's calls of the model: how the CLI asks, what it makes of responses, and when it asks again (PROTOCOL
//! section 2). It sends its requests itself, or hands them to its client (`handed`).

use crate::endpoint::{Question, Said};
use crate::items::{Item, NO_SUCH_TOOL};
use crate::rig::{Asked, Rig};
use crate::server::{Server, Waiting};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A request to the model that has no answer yet.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) session: String,
    /// The prompt that it is for.
    origin: Option<String>,
    tries: u8,
    /// What the model said before it ran into its limit.
    partial: Option<String>,
    message: String,
    status: u16,
    unread: Vec<u8>,
    text: String,
    finish: Option<Said>,
}

impl Server {
    /// A step of the turn in this session begins.
    pub(crate) fn call_model(&mut self, name: &str, origin: Option<String>, rig: &mut Rig) {
        rig.event(name, "assistant.turn_start", json!({"turnId": "0"}));
        self.request(name, origin, 0, None, rig);
    }

    fn request(&mut self, name: &str, origin: Option<String>, tries: u8, partial: Option<String>, rig: &mut Rig) {
        let session = &self.live[name];
        let question = Question {
            session: name.to_owned(),
            system: session.system.clone(),
            tools: session.tools.clone(),
            items: self.seen(name),
            partial: partial.clone(),
        };
        let (id, message) = (self.name("request"), self.name("message"));
        let call = Call {
            session: name.to_owned(),
            origin,
            tries,
            partial,
            message,
            status: 0,
            unread: Vec::new(),
            text: String::new(),
            finish: None,
        };
        self.calls.insert(id.clone(), call);
        let body = serde_json::to_vec(&question).expect("it can be written");
        if self.hosted {
            self.hand_over(&id, &body, rig);
        } else {
            self.send_directly(id, &body);
        }
    }

    /// The head of a response.
    pub(crate) fn answers(&mut self, id: &str, status: u16) {
        if let Some(call) = self.calls.get_mut(id) {
            call.status = status;
        }
    }

    /// More of its body.
    pub(crate) fn goes_on(&mut self, id: &str, data: &[u8], rig: &mut Rig) {
        let Some(call) = self.calls.get_mut(id) else { return };
        assert!(call.status != 0 || data.is_empty(), "a response begins with its head");
        call.unread.extend_from_slice(data);
        while let Some(end) = call.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = call.unread.drain(..=end).collect();
            match serde_json::from_slice(&line).expect("the response came through in order") {
                Said::Text(text) => {
                    call.text.push_str(&text);
                    let delta = json!({"messageId": call.message, "deltaContent": text});
                    let session = call.session.clone();
                    rig.event(&session, "assistant.message_delta", delta);
                }
                finish => call.finish = Some(finish),
            }
        }
    }

    /// Its end.
    pub(crate) fn ends(&mut self, id: &str, rig: &mut Rig) {
        let Some(call) = self.calls.remove(id) else { return };
        match call.finish.clone() {
            _ if call.status >= 400 => self.failed(call, "api", "no", rig),
            Some(finish) => self.complete(&call, &finish, rig),
            None => self.failed(call, "transport", "missing finish_reason for choice 0", rig),
        }
    }

    /// There is no more of it.
    pub(crate) fn breaks(&mut self, id: &str, message: &str, rig: &mut Rig) {
        if let Some(call) = self.calls.remove(id) {
            self.failed(call, "transport", message, rig);
        }
    }

    /// A try failed. It is repeated by status: a refused key twice, what may pass five times, the rest not at all.
    fn failed(&mut self, call: Call, kind: &str, message: &str, rig: &mut Rig) {
        let name = &call.session;
        let status = (call.status >= 400).then_some(call.status);
        let mut failure = json!({"failureKind": kind, "errorMessage": message, "retryAttempt": call.tries});
        if let Some(status) = status {
            failure["statusCode"] = status.into();
        }
        rig.event(name, "model.call_failure", failure);
        let most = match status {
            Some(401) => 2,
            Some(429 | 500..) | None => 5,
            Some(_) => 0,
        };
        // The client may have had enough of it. The CLI takes that up before it tries again, or just after.
        let aborts = |asked: &Asked| asked.method == "session.abort" && asked.params["sessionId"] == **name;
        if rig.asked.iter().any(aborts) && (!self.hosted || self.dice.heads()) {
            return;
        }
        if call.tries < most {
            rig.event(name, "assistant.turn_retry", json!({"turnId": "0", "reason": "api_error"}));
            return self.request(name, call.origin, call.tries + 1, call.partial, rig);
        }
        rig.event(name, "assistant.turn_end", json!({"turnId": "0"}));
        let mut error = json!({"errorType": "query", "message": format!("retried {} times", call.tries),
            "originatingMessageId": call.origin});
        if let Some(status) = status {
            error["statusCode"] = status.into();
        }
        rig.event(name, "session.error", error);
        rig.event(name, "session.idle", json!({}));
    }

    fn complete(&mut self, call: &Call, finish: &Said, rig: &mut Rig) {
        let name = call.session.as_str();
        let usage = |reason: &str| json!({"inputTokens": 1, "outputTokens": 1, "finishReason": reason});
        let so_far = format!("{}{}", call.partial.as_deref().unwrap_or_default(), call.text);
        match *finish {
            Said::Stop { idle, compacts } => {
                if compacts {
                    rig.event(name, "session.compaction_start", json!({}));
                }
                rig.event(name, "assistant.usage", usage("stop"));
                let message = json!({"messageId": call.message, "originatingMessageId": call.origin,
                    "content": call.text, "toolRequests": []});
                rig.event(name, "assistant.message", message);
                self.log(name, Item::Model(so_far));
                if call.partial.is_some() {
                    self.gap(name, &call.text);
                }
                if compacts {
                    self.shorten(name);
                }
                rig.event(name, "assistant.turn_end", json!({"turnId": "0"}));
                if idle {
                    rig.event(name, "session.idle", json!({}));
                } else {
                    self.endpoint.lost_idle(name);
                }
            }
            Said::Length => {
                // The CLI asks the model to go on; only the last part gets a message of its own.
                rig.event(name, "assistant.usage", usage("length"));
                rig.event(name, "assistant.turn_end", json!({"turnId": "0"}));
                rig.event(name, "assistant.turn_start", json!({"turnId": "1"}));
                self.request(name, call.origin.clone(), 0, Some(so_far), rig);
            }
            Said::Calls { calls, unknown } => {
                rig.event(name, "assistant.usage", usage("tool_calls"));
                self.call_tools(call, calls, unknown, rig);
            }
            Said::Text(_) => panic!("it ends nothing"),
        }
    }

    fn call_tools(&mut self, call: &Call, count: u8, unknown: bool, rig: &mut Rig) {
        let (name, origin) = (call.session.as_str(), call.origin.clone());
        let tool = self.live[name].tools[0].name.clone();
        let ids: Vec<String> = (0..count).map(|_| self.name("call")).collect();
        let requests: Vec<Value> =
            ids.iter().map(|id| json!({"toolCallId": id, "name": tool, "arguments": {}})).collect();
        let message = json!({"messageId": call.message, "originatingMessageId": origin, "content": "",
            "toolRequests": requests});
        let items = |id: &String| Item::Call { id: id.clone(), name: tool.clone(), arguments: "{}".into() };
        for item in ids.iter().map(items) {
            self.log(name, item.clone());
            // Within a turn the caller learns of calls and results as they come.
            self.endpoint.of(name).expect("a turn that has asked").items.push(item);
        }
        let mut waiting = Waiting {
            origin,
            calls: ids.iter().map(|id| (id.clone(), Some(format!("r-{id}")))).collect(),
            results: BTreeMap::new(),
            steering: Vec::new(),
        };
        // The last of several is one that the CLI answers itself.
        let own = ids.last().filter(|_| unknown && count > 1).cloned();
        if let Some(own) = &own {
            waiting.results.insert(own.clone(), NO_SUCH_TOOL.into());
        }
        self.wait(name, waiting);
        rig.event(name, "assistant.message", message);
        for id in ids.iter().filter(|id| Some(*id) != own.as_ref()) {
            let data = json!({"requestId": format!("r-{id}"), "toolCallId": id, "toolName": tool, "arguments": {}});
            rig.event(name, "external_tool.requested", data);
        }
        if let Some(own) = own {
            rig.event(name, "tool.execution_complete", json!({"toolCallId": own, "success": false}));
        }
    }
}
