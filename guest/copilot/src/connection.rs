//! The life of the CLI: start, handshake, end.

use crate::config::Auth;
use crate::failure::{self, Failure, one_line};
use crate::plugin::Copilot;
use crate::port::{Peer, Purpose};
use crate::restart::Permit;
use crate::session::{Session, Stage};
use crate::shared;
use crate::wire::reply::Handshake;
use crate::wire::request::{Connect, Named, Nothing};
use llm_provider_core::classify::Fault;
use llm_provider_core::frame::Decoder;
use llm_provider_core::rpc::{METHOD_NOT_FOUND, RpcError, Secret};
use llm_provider_guest::effects::SidecarEffect;
use llm_provider_guest::log::Level;
use llm_provider_guest::provider::{SidecarEnd, SidecarFault, SidecarStart};
use llm_provider_guest::secrets::{SecretEncoding, SecretRef};
use llm_provider_guest::sidecar::{SecretVariable, SidecarId, Spec, StopMode};
use llm_provider_guest::sidecar_types::Started;
use llm_provider_guest::types::{Instant, SessionId};
use serde_json::value::RawValue;

/// The host's catalogue entry.
const SIDECAR: &str = "copilot-cli";
/// Where the CLI looks for a GitHub token (`--auth-token-env`, PROTOCOL section 1).
const TOKEN_VARIABLE: &str = "COPILOT_SDK_AUTH_TOKEN";
/// The one version of the protocol that this plugin speaks, and all versions of the CLI from 1.0.2 on (PROTOCOL 8).
const PROTOCOL: i64 = 3;

/// The sidecar, as far as it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// There is none, and nobody needs one.
    Idle,
    /// One is needed, but the last has just crashed: it is started then.
    Backoff { until: Instant },
    /// The host starts it. The host has its own deadlines for that, since it may have to download it first.
    Starting { id: SidecarId },
    /// It runs; the handshake is not done.
    Handshake { id: SidecarId },
    /// It can be used.
    Ready { id: SidecarId },
    /// It has nothing to do and was asked to end; it may be started again.
    Resting { id: SidecarId },
    /// It was asked to end, and is left to itself then.
    Stopping { id: SidecarId, until: Instant },
    /// The instance is at its end. Nothing is started any more.
    Ended,
}

impl Link {
    /// The run that is the present one.
    pub(crate) fn id(&self) -> Option<SidecarId> {
        match self {
            Self::Idle | Self::Backoff { .. } | Self::Ended => None,
            Self::Starting { id }
            | Self::Handshake { id }
            | Self::Ready { id }
            | Self::Resting { id }
            | Self::Stopping { id, .. } => Some(*id),
        }
    }
}

impl Copilot {
    /// Makes sure that a sidecar runs or is on its way. Fails all waiting turns when it may not be.
    pub(crate) fn need_sidecar(&mut self) {
        match self.link {
            Link::Idle => {}
            Link::Backoff { until } if until <= self.port.now => {}
            Link::Backoff { .. }
            | Link::Starting { .. }
            | Link::Handshake { .. }
            | Link::Ready { .. }
            | Link::Resting { .. } => return,
            Link::Stopping { .. } | Link::Ended => {
                let failure = Failure::of(Fault::SidecarExit, "the plugin is shutting down");
                self.refuse_queries(&failure);
                return self.fail_all(&failure);
            }
        }
        match self.restarts.permit(self.port.now, self.port.seed) {
            Permit::Now => self.start_sidecar(),
            Permit::At(until) => {
                self.link = Link::Backoff { until };
                self.port.arm(until);
            }
            Permit::Refused(wait) => {
                self.link = Link::Idle;
                let message = format!(
                    "the Copilot CLI was restarted too often within a minute and is left alone for {} s",
                    wait.div_ceil(1000)
                );
                let mut failure = Failure::of(Fault::SidecarStorm, message);
                failure.retry_after = Some(wait);
                self.refuse_queries(&failure);
                self.fail_all(&failure);
            }
        }
    }

    fn start_sidecar(&mut self) {
        let id = self.next_sidecar;
        self.next_sidecar += 1;
        let secrets = match &self.port.config.auth {
            Auth::Github(github) => vec![SecretVariable {
                name: TOKEN_VARIABLE.to_owned(),
                secret: SecretRef { name: github.token.clone(), encoding: SecretEncoding::Raw },
            }],
            Auth::Byok(_) => Vec::new(),
        };
        self.link = Link::Starting { id };
        self.decoder = Decoder::default();
        self.port
            .out
            .push(SidecarEffect::Start(id, Spec { name: SIDECAR.to_owned(), settings: Vec::new(), secrets }).into());
    }

    /// The process runs: shake hands.
    pub(crate) fn sidecar_started(&mut self, start: SidecarStart) {
        let SidecarStart { id, started } = start;
        if self.link != (Link::Starting { id }) {
            return;
        }
        self.link = Link::Handshake { id };
        let Started { working_directory, shared, .. } = started;
        self.port.peer = Some(Peer { id, working_directory, has_connect: true, shared });
        // A process of one's own knows no token and would refuse one.
        let token = if shared { self.port.config.connection_token.clone() } else { None };
        if shared && token.is_none() {
            return self.abandon_sidecar(&shared::no_token());
        }
        let connect = Connect { token: token.map(|token| Secret(token.secret)) };
        let timeout = self.port.config.connect_timeout_ms;
        self.port.request_within(timeout, "connect", connect, Purpose::Connect);
    }

    /// The process could not be started.
    pub(crate) fn sidecar_failed(&mut self, fault: &SidecarFault) {
        if self.link.id() == Some(fault.id) {
            let failure = Failure::of(Fault::SidecarStart, fault.message.clone());
            self.lose_sidecar(&failure.with_hint(fault.hint.clone()));
        }
    }

    /// The process has ended.
    pub(crate) fn sidecar_exited(&mut self, end: &SidecarEnd) {
        if self.link.id() != Some(end.id) {
            return;
        }
        if matches!(self.link, Link::Resting { .. }) {
            return self.woken();
        }
        let shared = self.port.peer.as_ref().is_some_and(|peer| peer.shared);
        let mut message = if shared { shared::HUNG_UP.to_owned() } else { failure::exit(&end.exit) };
        if let Err(cut) = self.decoder.end() {
            message.push_str(&format!("; {cut}"));
        }
        self.lose_sidecar(&Failure::of(Fault::SidecarExit, message));
    }

    /// An answer to the handshake.
    pub(crate) fn shaken(&mut self, outcome: Result<&RawValue, RpcError>, connect: bool) {
        let Link::Handshake { id } = self.link else { return };
        let shared = self.port.peer.as_ref().is_some_and(|peer| peer.shared);
        if let Err(error) = &outcome
            && shared
            && let Some(refused) = shared::refused(error)
        {
            return self.abandon_sidecar(&refused);
        }
        let answer = match &outcome {
            Ok(raw) => serde_json::from_str::<Handshake<'_>>(raw.get()).map_err(|error| error.to_string()),
            Err(error) if connect && error.code == METHOD_NOT_FOUND => {
                if let Some(peer) = &mut self.port.peer {
                    peer.has_connect = false;
                }
                let timeout = self.port.config.connect_timeout_ms;
                return self.port.request_within(timeout, "ping", Nothing {}, Purpose::Ping);
            }
            Err(error) => Err(error.message.clone()),
        };
        match answer {
            Ok(Handshake { protocol_version: Some(PROTOCOL), version }) => {
                let version = version.map_or_else(|| "of unknown version".into(), |version| version.0);
                self.port.log(Level::Info, format!("connected to the Copilot CLI {}", version.escape_debug()));
                self.offer(id);
            }
            Ok(Handshake { protocol_version, version }) => {
                let theirs = protocol_version.map_or_else(|| "none that it names".to_owned(), |v| v.to_string());
                let version = version.map_or_else(String::new, |v| format!(" {}", v.0.escape_debug()));
                let message = format!(
                    "the Copilot CLI{version} speaks protocol version {theirs}, this plugin speaks version {PROTOCOL}; \
                     use a CLI between 1.0.2 and 1.0.102"
                );
                self.abandon_sidecar(&Failure::of(Fault::Version, message));
            }
            Err(error) => {
                let message = format!("the Copilot CLI did not take the handshake: {error}");
                self.abandon_sidecar(&Failure::of(Fault::Protocol, message));
            }
        }
    }

    /// The CLI can be used.
    pub(crate) fn ready(&mut self, id: SidecarId) {
        self.link = Link::Ready { id };
        let waiting = |session: &&Session| session.run.as_ref().is_some_and(|run| run.stage == Stage::Waiting);
        let sessions: Vec<SessionId> = self.sessions.values().filter(waiting).map(|session| session.id).collect();
        self.tell_direct(&sessions);
        sessions.into_iter().for_each(|session| self.open_way(session));
        self.ask_waiting();
        self.delete_left();
        self.note_idle();
    }

    /// Ends a process that is of no use, and everything that waits for it.
    pub(crate) fn abandon_sidecar(&mut self, failure: &Failure) {
        if let Some(id) = self.link.id() {
            self.port.out.push(SidecarEffect::Stop(id, StopMode::Kill).into());
        }
        self.port.log(Level::Warn, one_line(&failure.message));
        self.lose_sidecar(failure);
    }

    /// The process is gone: every turn fails, every session is lost.
    fn lose_sidecar(&mut self, failure: &Failure) {
        let ended = matches!(self.link, Link::Stopping { .. } | Link::Ended);
        self.link = if ended { Link::Ended } else { Link::Idle };
        self.idle_since = None;
        self.refuse_queries(failure);
        self.remember_left();
        self.port.hang_up();
        self.names.clear();
        for session in self.sessions.values_mut() {
            self.left.extend(session.crashed());
        }
        self.fail_all(failure);
    }

    fn fail_all(&mut self, failure: &Failure) {
        for session in self.sessions.values_mut() {
            if let Some(run) = session.run.take() {
                self.left.extend(run.has().map(str::to_owned));
                run.turn.fail(failure.error(), &mut self.port.out);
            }
        }
    }

    /// The instance is about to end: end the turns, then the process, politely.
    pub(crate) fn shutdown(&mut self) {
        let failure = Failure::of(Fault::Cancelled, "the turn was cancelled: the plugin is shutting down");
        self.fail_all(&failure);
        self.refuse_queries(&failure);
        self.port.give_up_all(None);
        self.idle_since = None;
        match self.link {
            Link::Ready { id } => {
                let timeout = self.port.config.shutdown_timeout_ms;
                self.remember_left();
                self.port.calls.clear(); // what is still open is of no interest any more
                self.link = Link::Stopping { id, until: self.port.now.saturating_add(timeout) };
                for name in self.leave_all() {
                    for method in ["session.destroy", "session.delete"] {
                        let named = Named { session_id: &name };
                        self.port.request_within(timeout, method, named, Purpose::Farewell);
                    }
                }
                self.leave_taken();
            }
            Link::Starting { .. } | Link::Handshake { .. } | Link::Resting { .. } => self.stop_sidecar(),
            Link::Idle | Link::Backoff { .. } => {
                self.link = Link::Ended;
                self.port.disarm();
            }
            Link::Stopping { .. } | Link::Ended => {}
        }
    }

    /// A farewell was answered; after the last of them it is over. A process that others use goes on.
    pub(crate) fn leave_taken(&mut self) {
        let Link::Stopping { until, .. } = self.link else { return };
        if !self.port.calls.is_empty() {
            return;
        }
        if self.port.peer.as_ref().is_some_and(|peer| peer.shared) {
            return self.stop_sidecar();
        }
        let timeout = until.saturating_sub(self.port.now);
        self.port.request_within(timeout, "runtime.shutdown", Nothing {}, Purpose::Shutdown);
    }

    /// The process knows that it should end, or does not know the word: close its input.
    pub(crate) fn stop_sidecar(&mut self) {
        if let Some(id) = self.link.id() {
            self.port.hang_up();
            self.port.out.push(SidecarEffect::Stop(id, StopMode::Graceful).into());
        }
        self.link = Link::Ended;
        self.port.disarm();
    }
}
