//! Tools that the host runs within a turn.

use crate::effect::Effect;
use crate::port::{Port, Purpose};
use crate::wire::event::{ExternalTool, Message};
use crate::wire::request::{ToolAnswer, ToolResult as WireResult};
use llm_provider_core::turn::Turn;
use llm_provider_guest::effects::ToolEffect;
use llm_provider_guest::types::{ToolCall, ToolResult, TurnId};
use std::collections::{BTreeMap, BTreeSet};

impl Port {
    /// Hands the result of a tool to the CLI.
    pub(crate) fn answer_tool(&mut self, session: &str, request: &str, result: &ToolResult, purpose: Purpose) {
        let answer = ToolAnswer {
            session_id: session,
            request_id: request,
            result: WireResult {
                text_result_for_llm: &result.content,
                result_type: if result.is_error { "failure" } else { "success" },
            },
        };
        self.request("session.tools.handlePendingToolCall", answer, purpose);
    }
}

/// The calls of a turn.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    /// By call: the CLI's name for the request while it waits.
    calls: BTreeMap<String, Option<String>>,
    results: BTreeMap<String, ToolResult>,
    /// In which of the model's messages with calls each stood, counted from 1.
    rounds: BTreeMap<String, usize>,
    round: usize,
    /// Calls that are no part of the answer.
    hidden: BTreeSet<String>,
    /// Tools of the CLI's own that run, by the CLI's names for the calls.
    there: BTreeSet<String>,
}

impl Tools {
    /// Whether the CLI waits for one of them, or for one of its own.
    pub(crate) fn waiting(&self) -> bool {
        !self.there.is_empty() || self.calls.values().any(Option::is_some)
    }

    /// The CLI runs a tool of its own.
    pub(super) fn runs_there(&mut self, call: &str) {
        self.there.insert(call.to_owned());
    }

    /// Such a tool has run.
    pub(super) fn ran_there(&mut self, call: &str) {
        self.there.remove(call);
    }

    /// None of the CLI's own runs. False when that was known.
    pub(super) fn step_over(&mut self) -> bool {
        !std::mem::take(&mut self.there).is_empty()
    }

    /// A call is no part of the answer, so neither is its result.
    pub(super) fn hide(&mut self, call: &str) {
        self.hidden.insert(call.to_owned());
    }

    /// The model has spoken, in a message or in a part of one: these are its calls.
    pub(super) fn spoken(&mut self, calls: Vec<String>, message: &Message<'_>) {
        if !message.continues() {
            self.round += 1;
        }
        self.rounds.extend(calls.into_iter().map(|call| (call, self.round)));
    }

    /// In which message of the model a call stood, where that was told.
    pub(crate) fn round(&self, call: &str) -> Option<usize> {
        self.rounds.get(call).copied().or(Some(0))
    }

    /// The result of a call, if it has one.
    pub(crate) fn result(&self, call: &str) -> Option<&ToolResult> {
        self.results.get(call)
    }

    /// Hands a call to the host. A call that was handed over before is not run again: false.
    pub(super) fn invoke(
        &mut self,
        turn: TurnId,
        id: String,
        request: &ExternalTool<'_>,
        out: &mut Vec<Effect>,
    ) -> bool {
        if self.calls.contains_key(&id) {
            return false;
        }
        self.calls.insert(id.clone(), Some(request.request_id.to_string()));
        let arguments = request.arguments.map_or("{}", |raw| raw.get()).to_owned();
        let call = ToolCall { id, name: request.tool_name.to_string(), arguments };
        out.push(ToolEffect::Invoke(turn, call).into());
        true
    }

    /// Hands the host's answer to the CLI. Answers to nothing, or a second time, are dropped.
    pub(crate) fn answer(&mut self, session: &str, result: ToolResult, turn: &Turn, port: &mut Port) {
        let Some(request) = self.calls.get_mut(&result.call_id).and_then(Option::take) else { return };
        port.answer_tool(session, &request, &result, Purpose::ToolAnswer);
        if !self.hidden.contains(&result.call_id) {
            turn.tool_answered(result.clone(), &mut port.out);
            self.results.insert(result.call_id.clone(), result);
        }
    }
}
