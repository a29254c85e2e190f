//! A turn that runs, and the lines its process writes.

use super::ask::Ask;
use super::session::Server;
use crate::config::Auth;
use crate::failure::{self, Attempt, Failure, told};
use crate::port::Port;
use crate::session::{Stream, is_ignored};
use crate::wire::event::{self, Text};
use llm_provider_core::digest::Chain;
use llm_provider_core::lines::Lines;
use llm_provider_core::turn::Turn;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::sidecar::SidecarId;
use llm_provider_guest::types::Instant;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How long a process may take to end after its last word: it takes 20 ms, and the usage is written meanwhile.
const AFTER_LAST_WORD: Instant = 10_000;

/// A line of the CLI: an event, or the last line, which has no data but an exit code.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    agent_id: Option<Text<'a>>,
    exit_code: Option<i32>,
}

/// A turn that runs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) turn: Turn,
    /// The process that answers it; none while the turn waits for a place.
    pub(super) process: Option<SidecarId>,
    /// What the CLI had before the turn, when the turn goes on with it.
    pub(super) before: Option<Server>,
    /// The CLI's name for the conversation.
    pub(super) name: String,
    pub(super) prompt: String,
    pub(super) ask: Ask,
    /// The caller's history with everything that is asked now.
    pub(super) history: Chain,
    pub(super) lines: Lines,
    pub(super) stream: Stream,
    attempt: Option<Attempt>,
    /// What the CLI says the turn failed of.
    pub(super) failure: Option<Failure>,
    /// The exit code in the last line.
    pub(super) result: Option<i32>,
    /// When the process was last heard of; none before it has its prompt.
    pub(super) heard: Option<Instant>,
    /// When it must have ended: it has said its last word.
    until: Option<Instant>,
    pub(super) unknown: u64,
    /// Model calls that ran into their limit and were continued.
    pub(super) cuts: u32,
    /// The CLI's history is not the caller's: it was shortened, or has parts that the caller does not get.
    pub(super) tainted: bool,
    pub(super) filtered: bool,
    empty_message: bool,
    pub(super) request_id: Option<String>,
}

impl Run {
    /// A turn that waits for a place.
    pub(super) fn new(
        turn: Turn,
        before: Option<Server>,
        name: String,
        prompt: String,
        ask: Ask,
        history: Chain,
    ) -> Self {
        Self {
            turn,
            process: None,
            before,
            name,
            prompt,
            ask,
            history,
            lines: Lines::default(),
            stream: Stream::default(),
            attempt: None,
            failure: None,
            result: None,
            heard: None,
            until: None,
            unknown: 0,
            cuts: 0,
            tainted: false,
            filtered: false,
            empty_message: false,
            request_id: None,
        }
    }

    /// When the turn has been silent for too long, or its process should have ended. None before the process has its
    /// prompt: the host has deadlines of its own for a start.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until.or_else(|| Some(self.heard?.saturating_add(self.ask.activity_timeout)))
    }

    /// Whether the process has said its last word.
    pub(super) fn said_all(&self) -> bool {
        self.result.is_some() || self.failure.is_some()
    }

    /// Takes a line. A failure means that the process need not go on.
    pub(super) fn line(&mut self, bytes: &[u8], port: &mut Port) -> Result<(), Failure> {
        if bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        let Ok(line) = serde_json::from_slice::<Line<'_>>(bytes) else {
            self.unknown += 1;
            return Ok(());
        };
        // The CLI has begun to work on the prompt: from here on the model may have been asked.
        self.turn.request_sent();
        if line.kind == "result" {
            self.result = Some(line.exit_code.unwrap_or(0));
            self.last_word(port);
            return Ok(());
        }
        match line.data {
            Some(data) if line.agent_id.is_none() => self.event(&line.kind, data.get(), port),
            _ => Ok(()),
        }
    }

    fn event(&mut self, kind: &str, data: &str, port: &mut Port) -> Result<(), Failure> {
        let known = match kind {
            "assistant.message_delta" => self.read(data, |run, delta: event::MessageDelta<'_>| {
                run.stream.text(&delta.message_id, &delta.delta_content, &mut run.turn, &mut port.out);
            }),
            "assistant.reasoning_delta" => self.read(data, |run, delta: event::ReasoningDelta<'_>| {
                run.stream.thinking(&delta.reasoning_id, &delta.delta_content, &mut run.turn, &mut port.out);
            }),
            "assistant.message" => self.read(data, |run, message| run.message(message, port)),
            "assistant.turn_start" => {
                self.failure = None;
                Some(())
            }
            "assistant.turn_end" => {
                self.step_over();
                Some(())
            }
            "assistant.turn_retry" => self.read(data, |run, retry| run.retry(retry, port)),
            "model.call_failure" => return self.call_failed(data, port),
            "session.error" => self.read(data, |run, error: event::Failure<'_>| {
                let attempt = run.attempt.take().unwrap_or_default();
                run.failure = Some(failure::reported(&error, attempt, run.empty_message));
                run.last_word(port);
            }),
            "session.compaction_start" | "session.compaction_complete" | "session.truncation" => {
                self.tainted = true;
                Some(())
            }
            // Of a tool that is not there; see `message`.
            "assistant.tool_call_delta" | "permission.requested" => {
                self.tainted = true;
                Some(())
            }
            "user.message" => Some(()),
            "tool.execution_start" | "tool.execution_complete" => Some(()),
            kind if is_ignored(kind) => Some(()),
            _ => None,
        };
        self.unknown += u64::from(known.is_none());
        Ok(())
    }

    /// Reads an event's data; what cannot be read is like an unknown event.
    fn read<'a, T: Deserialize<'a>>(&mut self, data: &'a str, then: impl FnOnce(&mut Self, T)) -> Option<()> {
        let data = serde_json::from_str(data).ok()?;
        then(self, data);
        Some(())
    }

    fn last_word(&mut self, port: &mut Port) {
        let at = port.now.saturating_add(AFTER_LAST_WORD);
        self.until = Some(at);
        port.arm(at);
    }

    fn message(&mut self, message: event::Message<'_>, port: &mut Port) {
        self.attempt = None;
        if let Some(model) = &message.model {
            self.turn.set_model(model.0.to_string());
        }
        let content = message.content.as_ref().map_or("", |content| &content.0).to_owned();
        self.filtered |= content == told::FILTERED;
        let content = if self.filtered { "" } else { content.as_str() };
        // No tools are offered. A model that calls one all the same is told so by the CLI and goes on: the call and its
        // answer are in the CLI's history but not in the caller's.
        let calls = message.tool_requests.as_ref().is_some_and(|requests| !requests.is_empty());
        self.tainted |= calls;
        let goes_on = self.empty_message || !message.continues();
        self.empty_message = goes_on && content.is_empty() && !calls;
        let message = event::Message { tool_requests: None, ..message };
        self.stream.message(&message, content, &mut self.turn, &mut port.out);
    }

    /// A step of the CLI is over. Text that no message has settled is an answer that ran into its limit: the model is
    /// asked to go on, and what it said so far is in nobody's history but the caller's.
    fn step_over(&mut self) {
        if self.stream.is_unsettled() {
            self.stream.cut();
            self.cuts += 1;
            self.tainted = true;
        }
    }

    fn retry(&mut self, retry: event::TurnRetry<'_>, port: &mut Port) {
        let reason = retry.reason.map_or_else(|| "unknown".into(), |reason| reason.0);
        let message = format!("the CLI asks the model again: {}", reason.escape_debug());
        self.stream.retry(&message, &mut self.turn, &mut port.out);
        self.turn.notice(NoticeKind::ProviderRetry, message, &mut port.out);
    }

    /// A failed try. What no repetition can help is not repeated, as in the mode `server`.
    fn call_failed(&mut self, data: &str, port: &Port) -> Result<(), Failure> {
        let Ok(failure) = serde_json::from_str::<event::CallFailure<'_>>(data) else {
            self.unknown += 1;
            return Ok(());
        };
        let attempt = Attempt::of(failure);
        let last = failure::of_attempt(&attempt);
        let repeated = matches!(attempt.status, Some(401 | 429)) && matches!(port.config.auth, Auth::Byok(_));
        self.attempt = Some(attempt);
        if repeated && last.meaning().is_final() { Err(last) } else { Ok(()) }
    }
}
