//! From the facts of a failure to what it means: one pure function, no matching on messages.
//!
//! Dialects turn what they see into [`Facts`]. Where a peer gives no code and only its text tells, the dialect matches
//! that text in one named place of its own and passes a [`Fault`].

mod code;
mod failure;
mod status;
#[cfg(test)]
mod tests;

pub use failure::{Failure, one_line};

use llm_provider_guest::errors::{Error, ErrorKind, ErrorScope, Verdict};
use llm_provider_guest::types::Milliseconds;

/// What kind of thing failed, where no HTTP status or provider code says it better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The provider reported a failure; status, code and type say which.
    Provider,
    /// The connection to the provider failed or broke.
    Transport,
    /// Nothing came in time.
    Timeout,
    /// The provider ended the answer without saying anything.
    EmptyAnswer,
    /// The conversation is larger than what may be sent.
    PromptTooLong,
    /// There is no credential, or it was not accepted.
    Unauthenticated,
    /// The server does not know the session.
    SessionLost,
    /// The peer broke its protocol.
    Protocol,
    /// The peer speaks a version of the protocol that this plugin does not.
    Version,
    /// The sidecar could not be started.
    SidecarStart,
    /// The sidecar ended.
    SidecarExit,
    /// The sidecar ended so often that it is not started again for a while.
    SidecarStorm,
    /// The owner of the turn cancelled it.
    Cancelled,
    /// The request is wrong.
    Invalid,
    /// The request is outside what this plugin can do.
    Unsupported,
    /// The host's policy does not grant what is needed.
    Denied,
    /// What the host grants is used up for now.
    Exhausted,
    /// The peer's certificate is not accepted: it will not be the next time either.
    Certificate,
    /// What came back is larger than what may be taken.
    TooLarge,
}

/// What is known about a failure.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The kind of thing that failed.
    pub fault: Fault,
    /// The HTTP status of the model's endpoint.
    pub status: Option<u16>,
    /// The provider's error code.
    pub code: Option<&'a str>,
    /// The peer's own class of error, an open string.
    pub class: Option<&'a str>,
    /// When the provider says to come back.
    pub retry_after: Option<Milliseconds>,
    /// Whether the provider says that trying again makes sense: its own judgement goes before ours.
    pub should_retry: Option<bool>,
}

impl Facts<'_> {
    /// Facts of a failure of which only the kind is known.
    #[must_use]
    pub fn of(fault: Fault) -> Self {
        Self { fault, status: None, code: None, class: None, retry_after: None, should_retry: None }
    }
}

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Meaning {
    /// What went wrong.
    pub kind: ErrorKind,
    /// How far it reaches.
    pub scope: ErrorScope,
    /// What is advised.
    pub verdict: Verdict,
}

impl Meaning {
    pub(crate) const fn new(kind: ErrorKind, scope: ErrorScope, verdict: Verdict) -> Self {
        Self { kind, scope, verdict }
    }

    /// Whether no repetition of the same request can help, so that a peer's own retries are a waste.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self.verdict {
            Verdict::SwitchModel | Verdict::Compact | Verdict::Surface => true,
            Verdict::RetryNow | Verdict::RetryAfter(_) | Verdict::RetryInFreshSession => false,
        }
    }
}

/// Tells what a failure means. A provider's code says more than its status, and both more than the peer's class: but for a
/// quota, which is exhausted with the status of too many requests.
#[must_use]
pub fn classify(facts: &Facts<'_>) -> Meaning {
    if let Some(meaning) = local(facts) {
        return meaning;
    }
    let server_failed = facts.status.is_some_and(|status| status >= 500);
    let meaning = facts
        .code
        .filter(|code| !(server_failed && code::says_less_than_a_status(code)))
        .and_then(|code| code::meaning(code, facts.retry_after))
        .or_else(|| facts.class.filter(|class| *class == "quota").and_then(|class| code::class(class, None)))
        .or_else(|| facts.status.and_then(|status| status::meaning(status, facts.retry_after)))
        .or_else(|| facts.class.and_then(|class| code::class(class, facts.retry_after)))
        .unwrap_or_else(|| remaining(facts.fault));
    told(meaning, facts)
}

/// Whether a word is an error code whose meaning is known: for dialects that have several words and must choose one.
#[must_use]
pub fn is_known_code(code: &str) -> bool {
    code::meaning(code, None).is_some()
}

/// The provider's own word on whether to try again. An exhausted quota or a conversation that is too long stays what it
/// is: those who follow such a word blindly pay for it (PARITY, THREATS section 3).
fn told(meaning: Meaning, facts: &Facts<'_>) -> Meaning {
    let verdict = match (facts.should_retry, meaning.verdict) {
        (Some(false), Verdict::RetryNow | Verdict::RetryAfter(_) | Verdict::RetryInFreshSession) => Verdict::Surface,
        (Some(true), Verdict::Surface) if meaning.kind != ErrorKind::Quota => {
            Verdict::RetryAfter(facts.retry_after.unwrap_or(status::SHORT))
        }
        (_, verdict) => verdict,
    };
    Meaning { verdict, ..meaning }
}

/// An error without the facts about reach, which the turn knows.
#[must_use]
pub fn error(facts: &Facts<'_>, message: String) -> Error {
    let Meaning { kind, scope, verdict } = classify(facts);
    Error {
        kind,
        message,
        hint: None,
        scope,
        http_status: facts.status,
        provider_code: facts.code.map(str::to_owned),
        provider_request_id: None,
        retry_after: facts.retry_after,
        request_sent: false,
        output_seen: false,
        tools_ran: false,
        verdict,
    }
}

/// Failures on our side of the provider: no status or code of the provider's can say it better.
fn local(facts: &Facts<'_>) -> Option<Meaning> {
    use ErrorKind as K;
    use ErrorScope as S;
    use Verdict as V;
    Some(match facts.fault {
        Fault::Provider | Fault::Transport | Fault::EmptyAnswer => return None,
        Fault::Timeout => Meaning::new(K::Timeout, S::Request, V::RetryInFreshSession),
        Fault::PromptTooLong => Meaning::new(K::ContextLength, S::Request, V::Compact),
        Fault::Unauthenticated => Meaning::new(K::Authentication, S::User, V::Surface),
        Fault::SessionLost => Meaning::new(K::NotFound, S::Session, V::RetryInFreshSession),
        Fault::Protocol => Meaning::new(K::Protocol, S::Session, V::RetryInFreshSession),
        Fault::Version => Meaning::new(K::Protocol, S::Global, V::Surface),
        Fault::SidecarStart => Meaning::new(K::Sidecar, S::Global, V::Surface),
        Fault::SidecarExit => Meaning::new(K::Sidecar, S::Session, V::RetryInFreshSession),
        Fault::SidecarStorm => Meaning::new(K::Sidecar, S::Global, V::RetryAfter(facts.retry_after.unwrap_or(60_000))),
        Fault::Cancelled => Meaning::new(K::Cancelled, S::Request, V::Surface),
        Fault::Invalid => Meaning::new(K::InvalidRequest, S::Request, V::Surface),
        Fault::Unsupported => Meaning::new(K::Unsupported, S::Request, V::Surface),
        Fault::Denied => Meaning::new(K::Permission, S::Global, V::Surface),
        Fault::Exhausted => Meaning::new(K::Quota, S::Org, V::RetryAfter(facts.retry_after.unwrap_or(status::BUSY))),
        Fault::Certificate => Meaning::new(K::Transport, S::Global, V::Surface),
        Fault::TooLarge => Meaning::new(K::Protocol, S::Request, V::Surface),
    })
}

/// Failures of the provider that came without a status, a code and a class that is known.
fn remaining(fault: Fault) -> Meaning {
    use ErrorKind as K;
    use ErrorScope as S;
    match fault {
        Fault::Transport => Meaning::new(K::Transport, S::Model, Verdict::RetryAfter(status::SHORT)),
        Fault::EmptyAnswer => Meaning::new(K::Internal, S::Request, Verdict::RetryNow),
        _ => Meaning::new(K::Internal, S::Request, Verdict::Surface),
    }
}
