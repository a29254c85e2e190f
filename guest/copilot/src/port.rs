//! The way out: effects, requests to the CLI, the alarm for the next deadline.

use crate::config::Config;
use crate::effect::Effect;
use crate::egress::{Egress, Offer};
use llm_provider_core::alarm::Alarm;
use llm_provider_core::frame::{self, Secrets};
use llm_provider_core::rpc::{self, Calls, Refusal, Reply, Request};
use llm_provider_guest::effects::{LogEffect, SidecarEffect};
use llm_provider_guest::http::RequestId;
use llm_provider_guest::log::Level;
use llm_provider_guest::sidecar::SidecarId;
use llm_provider_guest::timers::TimerId;
use llm_provider_guest::types::{Instant, Milliseconds, QueryId, SessionId, TurnId};
use serde::Serialize;
use serde_json::value::RawValue;

/// What a request to the CLI was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The handshake, in its present form.
    Connect,
    /// The handshake with versions that have no `connect`.
    Ping,
    /// The offer to be the way out for the CLI's model traffic; a part of the handshake.
    Offer,
    /// Is anybody there?
    Probe,
    /// A polite end of the process.
    Shutdown,
    /// The end of a session, before that of the process.
    Farewell,
    /// A step on the way to a turn's answer. The name is that of the server session.
    Step { step: Step, session: SessionId, turn: TurnId, name: String },
    /// The answer to a tool call.
    ToolAnswer,
    /// The answer to a permission request.
    Permission,
    /// A question about the provider.
    Query(QueryId, Question),
    /// A polite end of a process that nobody needs just now.
    Rest,
    /// Stop the turn of a session that will not be used again; then let go of it.
    Abort { name: String },
    /// Let go of a session, then delete it.
    Destroy { name: String },
    /// Delete a session.
    Delete { name: String },
    /// A part of a response of the model's endpoint; none once the response is over.
    Response(Option<RequestId>),
}

/// The steps to a turn's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `session.destroy` before `session.resume`: a cold resume tells the model nothing of what changed.
    Release,
    /// `session.resume`.
    Resume,
    /// `session.create`.
    Create,
    /// `session.options.update`.
    Configure,
    /// `session.send`.
    Send,
    /// `session.send` into a turn that waits for the results of tools.
    Steer,
    /// `session.tools.handlePendingToolCall` of such a turn.
    Answer,
}

impl Step {
    /// What was asked of the CLI, for a message.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Release | Self::Resume => "to take up the session",
            Self::Create => "to open a session",
            Self::Configure => "the session's options",
            Self::Send | Self::Steer => "the prompt",
            Self::Answer => "the results of the tools",
        }
    }
}

/// What is asked about the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Which models there are.
    Models,
    /// What is left of what was granted.
    Quota,
}

/// The CLI as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) id: SidecarId,
    pub(crate) working_directory: String,
    /// Versions before 1.0.45 have no `connect` and know other permission decisions.
    pub(crate) has_connect: bool,
    /// Others use it too: it is left running.
    pub(crate) shared: bool,
}

/// Everything that leaves the plugin goes through here.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) config: Config,
    pub(crate) secrets: Secrets,
    pub(crate) seed: u64,
    pub(crate) now: Instant,
    pub(crate) out: Vec<Effect>,
    pub(crate) calls: Calls<Purpose>,
    pub(crate) peer: Option<Peer>,
    pub(crate) probing: bool,
    pub(crate) egress: Egress,
    alarm: Alarm,
}

impl Port {
    pub(crate) fn new(config: Config, secrets: Secrets, seed: u64) -> Self {
        Self {
            egress: Egress::new(&config, seed),
            config,
            secrets,
            seed,
            now: 0,
            out: Vec::new(),
            calls: Calls::default(),
            peer: None,
            probing: false,
            alarm: Alarm::default(),
        }
    }

    pub(crate) fn log(&mut self, level: Level, message: String) {
        self.out.push(LogEffect(level, message).into());
    }

    /// Sends a request with the usual deadline.
    pub(crate) fn request<P: Serialize>(&mut self, method: &str, params: P, purpose: Purpose) {
        let timeout = self.config.request_timeout_ms;
        self.request_within(timeout, method, params, purpose);
    }

    /// Sends a request with a deadline of its own. Without a peer nothing is sent: whoever asked learns of the peer's
    /// end by itself.
    pub(crate) fn request_within<P: Serialize>(
        &mut self,
        timeout: Milliseconds,
        method: &str,
        params: P,
        purpose: Purpose,
    ) {
        if self.peer.is_none() {
            return;
        }
        let deadline = self.now.saturating_add(timeout);
        let id = self.calls.begin(purpose, Some(deadline));
        self.arm(deadline);
        self.write(&Request::new(id, method, params));
    }

    /// Tells the CLI that it asked for something that is not served here.
    pub(crate) fn refuse(&mut self, id: &RawValue, method: &str) {
        self.write(&Refusal::unknown_method(id, method));
    }

    /// Tells the CLI that its request was taken.
    pub(crate) fn acknowledge(&mut self, id: &RawValue) {
        self.write(&Reply::new(id, crate::wire::request::Nothing {}));
    }

    /// Asks whether the CLI still answers, once at a time.
    pub(crate) fn probe(&mut self) {
        if self.probing || self.peer.is_none() {
            return;
        }
        self.probing = true;
        let timeout = self.config.ping_timeout_ms;
        self.request_within(timeout, "ping", crate::wire::request::Nothing {}, Purpose::Probe);
    }

    fn write<T: Serialize>(&mut self, message: &T) {
        let Some(peer) = &self.peer else { return };
        let id = peer.id;
        let framed = rpc::body(message)
            .map_err(|error| error.to_string())
            .and_then(|body| frame::encode(body, &self.secrets).map_err(|error| error.to_string()));
        match framed {
            Ok(chunks) => self.out.push(SidecarEffect::Send(id, chunks).into()),
            // Cannot happen: our types serialise, and the configuration was checked against the secrets. The call's
            // deadline ends whatever waits for it.
            Err(error) => self.log(Level::Error, format!("a message to the CLI could not be written: {error}")),
        }
    }

    /// Makes sure that the plugin is woken at `at` or before.
    pub(crate) fn arm(&mut self, at: Instant) {
        self.alarm.arm(at, self.now, &mut self.out);
    }

    /// The timer has fired. False when it is none of ours.
    pub(crate) fn fired(&mut self, timer: TimerId) -> bool {
        self.alarm.fired(timer)
    }

    /// Stops the timer, if one runs.
    pub(crate) fn disarm(&mut self) {
        self.alarm.disarm(&mut self.out);
    }

    /// The connection is gone: nothing is open any more.
    pub(crate) fn hang_up(&mut self) {
        self.give_up_all(None);
        self.egress.offer = Offer::None;
        self.peer = None;
        self.probing = false;
        self.calls.clear();
    }
}
