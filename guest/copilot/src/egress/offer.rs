//! Whether the host is the CLI's way out, which is settled in the handshake: the CLI takes no offer while it has sessions,
//! and a new process knows nothing of an old one's.

use crate::config;
use crate::connection::Link;
use crate::failure::Failure;
use crate::plugin::Copilot;
use crate::port::Purpose;
use crate::wire::inference::Provided;
use crate::wire::request::Nothing;
use llm_provider_core::classify::Fault;
use llm_provider_core::rpc::{METHOD_NOT_FOUND, RpcError};
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::sidecar::SidecarId;
use llm_provider_guest::types::SessionId;
use serde_json::value::RawValue;

/// Why an offer was not made, where others use the CLI too.
const SHARED: &str = "a running CLI would hand over the traffic of everybody who uses it";
/// Why it was not taken.
const TOO_OLD: &str = "this version of the CLI does not know `llmInference.setProvider`";

/// Where the offer stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Offer {
    /// The CLI sends its requests itself.
    #[default]
    None,
    /// It does, although it was to hand them over; turns that meet this first are told why.
    Impossible { why: &'static str, told: bool },
    /// It hands them over.
    Taken,
}

impl Offer {
    /// Whether the CLI hands its requests over.
    pub(crate) fn is_taken(self) -> bool {
        self == Self::Taken
    }
}

impl Copilot {
    /// The handshake is done: offers to be the way out, where that is wanted.
    pub(crate) fn offer(&mut self, id: SidecarId) {
        let Some(wanted) = self.port.config.egress() else { return self.ready(id) };
        if self.port.peer.as_ref().is_some_and(|peer| peer.shared) {
            return self.without_offer(id, wanted, SHARED, "let the host start the CLI");
        }
        let timeout = self.port.config.connect_timeout_ms;
        self.port.request_within(timeout, "llmInference.setProvider", Nothing {}, Purpose::Offer);
    }

    /// The CLI's word on the offer.
    pub(crate) fn offered(&mut self, outcome: Result<&RawValue, RpcError>) {
        let (Link::Handshake { id }, Some(wanted)) = (&self.link, self.port.config.egress()) else { return };
        let id = *id;
        let refused = match outcome {
            Ok(raw) => match serde_json::from_str::<Provided>(raw.get()) {
                Ok(Provided { success: true }) => {
                    self.port.egress.offer = Offer::Taken;
                    return self.ready(id);
                }
                Ok(Provided { success: false }) => "it did not succeed".to_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) if error.code == METHOD_NOT_FOUND => {
                return self.without_offer(id, wanted, TOO_OLD, "use version 1.0.81 or later");
            }
            Err(error) => error.message,
        };
        // Going on would give the key to a process that was not to have it.
        let message = format!("the Copilot CLI does not hand its model traffic over: {refused}");
        self.abandon_sidecar(&Failure::of(Fault::Protocol, message));
    }

    /// Goes on without, unless the configuration insists.
    fn without_offer(&mut self, id: SidecarId, wanted: config::Egress, why: &'static str, instead: &str) {
        if wanted == config::Egress::Host {
            let message = format!("the Copilot CLI cannot send its model traffic through the host: {why}");
            let hint = format!("{instead}, or set `egress` to `direct`");
            return self.abandon_sidecar(&Failure::of(Fault::Version, message).with_hint(Some(hint)));
        }
        self.port.egress.offer = Offer::Impossible { why, told: false };
        self.ready(id);
    }

    /// Tells turns that are the first to meet a CLI that sends its requests itself, although it was not to.
    pub(crate) fn tell_direct(&mut self, sessions: &[SessionId]) {
        let Offer::Impossible { why, told: false } = self.port.egress.offer else { return };
        for id in sessions {
            let Some(run) = self.sessions.get(id).and_then(|session| session.run.as_ref()) else { continue };
            let message =
                format!("the Copilot CLI sends its requests to the model itself, not through the host: {why}");
            run.turn.notice(NoticeKind::Other("egress-direct".to_owned()), message, &mut self.port.out);
            self.port.egress.offer = Offer::Impossible { why, told: true };
        }
    }
}
