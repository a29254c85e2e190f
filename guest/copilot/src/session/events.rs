//! The events of a server session, as they concern its turn.

use super::{AFTER_ANSWER, AFTER_FAILURE, Run, Stage, permission};
use crate::config::Auth;
use crate::failure::{self, Attempt, Failure, told};
use crate::port::{Port, Purpose};
use crate::wire::event::{self, Event};
use llm_provider_core::classify::Fault;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::types::{FinishReason, ToolOwner, ToolResult, Usage};
use serde::Deserialize;

/// What an event leads to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The turn goes on.
    Goes,
    /// The turn was answered.
    Answered,
    /// The model wants tools called, and the caller runs them.
    Suspended,
    /// The turn failed; the CLI must be told to stop when it is still at it.
    Failed(Failure, StillRunning),
}

/// Whether the CLI is still at a turn that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StillRunning {
    Yes,
    No,
}

/// Events that are known and mean nothing to a turn. They are skipped before they are parsed.
pub(crate) fn is_ignored(kind: &str) -> bool {
    matches!(
        kind,
        "assistant.streaming_delta"
            | "assistant.message_start"
            | "assistant.reasoning"
            | "assistant.intent"
            | "assistant.idle"
            | "abort"
            | "agent.interrupted"
            | "external_tool.completed"
            | "model.call_final_result"
            | "model.call_finished"
            | "model.call_start"
            | "model.log"
            | "model.message"
            | "model.messages_snapshot"
            | "model.model_call_failure"
            | "model.model_call_started"
            | "model.model_call_success"
            | "model.response"
            | "model.telemetry"
            | "model.tool_execution"
            | "model.turn_ended"
            | "model.turn_failed"
            | "model.turn_retry"
            | "model.turn_started"
            | "pending_messages.modified"
            | "permission.completed"
            | "sandbox.decision"
            | "session.background_tasks_changed"
            | "session.indexed_search"
            | "session.info"
            | "session.managed_settings_resolved"
            | "session.mcp_servers_loaded"
            | "session.resume"
            | "session.shutdown"
            | "session.skills_loaded"
            | "session.start"
            | "session.title_changed"
            | "session.tools_updated"
            | "session.usage_info"
            | "session.warning"
            | "system.message"
            | "tool.execution_partial_result"
            | "tool.execution_progress"
            | "tool.shell_output"
    )
}

impl Run {
    /// Takes an event of the turn's server session.
    pub(crate) fn event(&mut self, event: &Event<'_>, port: &mut Port) -> Outcome {
        if !matches!(self.stage, Stage::Sending | Stage::Running) {
            return Outcome::Goes;
        }
        let data = event.data.get();
        if event.agent_id.is_some() {
            self.of_agent(&event.kind, data, port);
            return Outcome::Goes;
        }
        let outcome = match &*event.kind {
            "assistant.message_delta" => self.read(data, |run, delta| run.delta(&delta, port)),
            "assistant.reasoning_delta" => self.read(data, |run, delta: event::ReasoningDelta<'_>| {
                run.begun = true;
                run.stream.thinking(&delta.reasoning_id, &delta.delta_content, &mut run.turn, &mut port.out);
            }),
            "assistant.tool_call_delta" => self.read(data, |run, delta: event::ToolCallDelta<'_>| {
                let (id, name, input) = (&delta.tool_call_id, &delta.tool_name, &delta.input_delta);
                run.stream.tool_call(id, name, input, &mut run.turn, &mut port.out);
            }),
            "assistant.message" => self.read(data, |run, message| run.message(&message, port)),
            "assistant.usage" => self.read(data, |run, usage| run.usage(&usage, port)),
            "assistant.turn_start" => {
                (self.begun, self.failure, self.whole_until) = (true, None, None);
                self.tools_over(port);
                Some(())
            }
            "assistant.turn_end" => {
                self.step_ended(port);
                Some(())
            }
            "tool.execution_start" => self.read(data, Self::tool_runs),
            "tool.execution_complete" => self.read(data, |run, done| run.tool_done(&done, port)),
            "user.message" => self.read(data, Self::taken),
            "external_tool.requested" => self.read(data, |run, request| run.tool(&request, port)),
            "permission.requested" => self.read(data, |run, request| permission::requested(run, data, &request, port)),
            "session.error" => self.read(data, |run, failure| run.told(&failure, port)),
            "session.compaction_start" | "session.compaction_complete" | "session.truncation" => {
                self.compacted(port);
                Some(())
            }
            "session.model_change" => self.read(data, |run, change| run.model_changed(&change, port)),
            "assistant.turn_retry" => return self.retry(data, port),
            "model.call_failure" => return self.call_failed(data, port),
            "session.idle" => return self.idle(data),
            kind if is_ignored(kind) => Some(()),
            _ => None,
        };
        self.unknown += u64::from(outcome.is_none());
        let suspended = self.options.owner == ToolOwner::Return && self.suspension.is_complete();
        if suspended { Outcome::Suspended } else { Outcome::Goes }
    }

    /// An event of a sub-agent. What it says is not the answer, but it costs, and what it asks for must be answered.
    fn of_agent(&mut self, kind: &str, data: &str, port: &mut Port) {
        let known = match kind {
            "assistant.usage" => self.read(data, |run, usage: event::Usage<'_>| run.cost(&usage, port)),
            "tool.execution_start" => self.read(data, Self::tool_runs),
            "tool.execution_complete" => self.read(data, |run, done| run.tool_done(&done, port)),
            "external_tool.requested" => self.read(data, |run, request| run.tool_of_agent(&request, port)),
            "permission.requested" => self.read(data, |run, request| permission::requested(run, data, &request, port)),
            _ => Some(()),
        };
        self.unknown += u64::from(known.is_none());
    }

    /// A step of the CLI is over. After one whose message called no tool there is nothing more to come but the word that
    /// the session is idle; a word that was lost must not cost the answer.
    fn step_ended(&mut self, port: &mut Port) {
        self.tools_over(port);
        self.stream.step_over(&mut self.turn, &mut port.out);
        let whole = self.spoke_last && self.stream.has_answer() && self.finish != Some(FinishReason::Length);
        if whole && self.failure.is_none() {
            let until = port.now.saturating_add(AFTER_ANSWER);
            self.whole_until = Some(until);
            port.arm(until);
        }
    }

    /// Takes a piece of text.
    #[inline]
    pub(crate) fn delta(&mut self, delta: &event::MessageDelta<'_>, port: &mut Port) {
        if matches!(self.stage, Stage::Sending | Stage::Running) {
            (self.begun, self.whole_until) = (true, None);
            self.stream.text(&delta.message_id, &delta.delta_content, &mut self.turn, &mut port.out);
        }
    }

    /// Reads an event's data; what cannot be read is like an unknown event.
    fn read<'a, T: Deserialize<'a>>(&mut self, data: &'a str, then: impl FnOnce(&mut Self, T)) -> Option<()> {
        let data = serde_json::from_str(data).ok()?;
        then(self, data);
        Some(())
    }

    /// Whether something belongs to this prompt. Old versions do not say to which it does.
    fn concerns(&self, originating: Option<&event::Text<'_>>) -> bool {
        match (originating, &self.message_id) {
            (Some(theirs), Some(ours)) => theirs.0 == *ours,
            _ => true,
        }
    }

    fn taken(&mut self, message: event::UserMessage<'_>) {
        if self.concerns(message.message_id.as_ref()) {
            self.begun = true;
            self.message_id = message.message_id.map(|id| id.0.into_owned());
        }
    }

    fn message(&mut self, message: &event::Message<'_>, port: &mut Port) {
        if !self.concerns(message.originating_message_id.as_ref()) {
            return;
        }
        self.begun = true;
        self.attempt = None;
        if let Some(model) = &message.model {
            self.turn.set_model(model.0.to_string());
        }
        let content = message.content.as_ref().map_or("", |content| &content.0);
        let content = if self.filtered && content == told::FILTERED { "" } else { content };
        let calls = message.tool_requests.as_deref().unwrap_or_default();
        // What is said of the parts before holds of a message that goes on with them.
        let goes_on = |before: bool| before || !message.continues();
        self.empty_message = goes_on(self.empty_message) && content.is_empty() && calls.is_empty();
        (self.spoke_last, self.whole_until) = (goes_on(self.spoke_last) && calls.is_empty(), None);
        let told = self.stream.message(message, content, &mut self.turn, &mut port.out);
        match self.options.owner {
            ToolOwner::Return => self.suspension.spoken(told, message),
            ToolOwner::Callback => self.tools.spoken(told, message),
        }
    }

    fn usage(&mut self, usage: &event::Usage<'_>, port: &mut Port) {
        self.begun = true;
        let reason = usage.finish_reason.as_ref().map_or("stop", |reason| &reason.0);
        self.filtered |= usage.content_filter_triggered == Some(true) || reason == "content_filter";
        self.finish = Some(match reason {
            "stop" | "end_turn" | "tool_calls" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "content_filter" => FinishReason::ContentFilter,
            other => FinishReason::Other(other.to_owned()),
        });
        if reason == "length" {
            // The parts before the last are in the server's memory but not in its log.
            self.durable = false;
            self.stream.cut();
        }
        let id = usage.provider_call_id.as_ref().or(usage.api_call_id.as_ref());
        self.request_id = id.map(|id| id.0.to_string()).or_else(|| self.request_id.take());
        self.cost(usage, port);
    }

    fn cost(&mut self, usage: &event::Usage<'_>, port: &mut Port) {
        let call = Usage {
            model_calls: 1,
            input_tokens: usage.input_tokens.unwrap_or(0),
            output_tokens: usage.output_tokens.unwrap_or(0),
            reasoning_tokens: usage.reasoning_tokens.unwrap_or(0),
            cache_read_tokens: usage.cache_read_tokens.unwrap_or(0),
            cache_write_tokens: usage.cache_write_tokens.unwrap_or(0),
            premium_requests: usage.cost.filter(|cost| cost.is_finite()).unwrap_or(0.0),
        };
        self.turn.add_usage(&call, &mut port.out);
    }

    fn tool(&mut self, request: &event::ExternalTool<'_>, port: &mut Port) {
        let told = self.stream.requested(request, &mut self.turn, &mut port.out);
        match self.options.owner {
            ToolOwner::Return => self.suspension.requested(&told, &request.request_id),
            ToolOwner::Callback => self.invoke(told, request, port),
        }
    }

    /// A sub-agent wants a tool of the caller's run. Its call is no part of the answer, so a caller that runs its tools
    /// between turns never gets to know it.
    fn tool_of_agent(&mut self, request: &event::ExternalTool<'_>, port: &mut Port) {
        let name = request.request_id.to_string();
        if self.options.owner == ToolOwner::Callback {
            self.tools.hide(&name);
            return self.invoke(name, request, port);
        }
        let content = "This tool cannot be used from here. Go on without it.".to_owned();
        let result = ToolResult { call_id: name, content, is_error: true };
        port.answer_tool(&self.name, &request.request_id, &result, Purpose::ToolAnswer);
    }

    fn invoke(&mut self, call: String, request: &event::ExternalTool<'_>, port: &mut Port) {
        if self.tools.invoke(self.turn.id(), call, request, &mut port.out) {
            self.turn.tools_ran();
        }
    }

    /// A tool is about to run: one of the CLI's own, unless the caller has it.
    fn tool_runs(&mut self, start: event::ToolStart<'_>) {
        if !self.options.offers(&start.tool_name) {
            self.turn.tools_ran();
            self.tools.runs_there(&start.tool_call_id);
        }
    }

    fn tool_done(&mut self, done: &event::ToolDone<'_>, port: &mut Port) {
        self.tools.ran_there(&done.tool_call_id);
        self.arm(port);
        let call = self.stream.named(&done.tool_call_id).unwrap_or(&done.tool_call_id);
        self.suspension.settled(call);
    }

    /// A step of the CLI is over or begins: none of its own tools runs, even where that was not told.
    fn tools_over(&mut self, port: &mut Port) {
        if self.tools.step_over() {
            self.arm(port);
        }
    }

    fn model_changed(&mut self, change: &event::ModelChange<'_>, port: &mut Port) {
        let Some(model) = change.new_model.as_ref().map(|model| &*model.0) else { return };
        if self.options.model.as_deref().is_some_and(|asked| asked != model) {
            let message = format!("the model `{}` answers instead of the one asked for", model.escape_debug());
            self.turn.notice(NoticeKind::ModelSwitched, message, &mut port.out);
        }
    }

    fn compacted(&mut self, port: &mut Port) {
        if !self.tainted {
            self.tainted = true;
            let message = "the CLI shortened the conversation on its own; the next turn begins with all of it again";
            self.turn.notice(NoticeKind::Other("compaction".to_owned()), message.to_owned(), &mut port.out);
        }
    }

    fn retry(&mut self, data: &str, port: &mut Port) -> Outcome {
        let retry: Option<event::TurnRetry<'_>> = serde_json::from_str(data).ok();
        let reason = retry.and_then(|retry| retry.reason).map_or_else(|| "unknown".into(), |reason| reason.0);
        let message = format!("the CLI asks the model again: {}", reason.escape_debug());
        self.stream.retry(&message, &mut self.turn, &mut port.out);
        self.turn.notice(NoticeKind::ProviderRetry, message, &mut port.out);
        Outcome::Goes
    }

    /// A failed try. What no repetition can help is not repeated: the CLI would try a refused key three times and an
    /// exhausted quota for a minute. Other final failures the CLI reports at once by itself, and better. With GitHub a
    /// refused token may be a stale one, which the CLI renews.
    fn call_failed(&mut self, data: &str, port: &Port) -> Outcome {
        let Ok(failure) = serde_json::from_str::<event::CallFailure<'_>>(data) else {
            self.unknown += 1;
            return Outcome::Goes;
        };
        let attempt = Attempt::of(failure).seen(self.seen.as_ref());
        let last = failure::of_attempt(&attempt);
        let repeated = matches!(attempt.status, Some(401 | 429)) && matches!(port.config.auth, Auth::Byok(_));
        self.attempt = Some(attempt);
        if repeated && last.meaning().is_final() {
            return Outcome::Failed(last, StillRunning::Yes);
        }
        Outcome::Goes
    }

    fn told(&mut self, error: &event::Failure<'_>, port: &mut Port) {
        if !self.concerns(error.originating_message_id.as_ref()) {
            return;
        }
        let attempt = self.attempt.clone().unwrap_or_default().seen(self.seen.as_ref());
        let failure = failure::reported(error, attempt, self.empty_message);
        let at = port.now.saturating_add(AFTER_FAILURE);
        port.arm(at);
        self.failure = Some((failure, at));
    }

    /// Nothing runs in the session any more. An idle before anything of this prompt came is an older one's.
    fn idle(&mut self, data: &str) -> Outcome {
        if let Some(failure) = self.told_failure() {
            return Outcome::Failed(failure, StillRunning::No);
        }
        if !self.begun {
            return Outcome::Goes;
        }
        let aborted = serde_json::from_str::<event::Idle>(data).is_ok_and(|idle| idle.aborted);
        if aborted {
            let failure = Failure::of(Fault::Provider, "the Copilot CLI broke the turn off");
            return Outcome::Failed(failure, StillRunning::No);
        }
        if self.stream.has_answer() || self.filtered {
            return Outcome::Answered;
        }
        Outcome::Failed(Failure::of(Fault::EmptyAnswer, "the model gave no answer"), StillRunning::No)
    }
}
