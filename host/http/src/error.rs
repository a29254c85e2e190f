//! What goes wrong.

use std::error::Error;
use std::io;

use crate::policy::DenyReason;
use crate::resolve::ScreenError;

/// Why an [`Egress`](crate::Egress) could not be made: configuration, not traffic.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// The proxy is no http or https URL.
    #[error("a proxy is an http or https URL with a host")]
    Proxy,
    /// The certificate authorities could not be loaded.
    #[error("certificate authorities: {0}")]
    Trust(#[from] rustls::Error),
    /// The HTTP client could not be made.
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why a request failed, where no response can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The policy or a limit refused it. Nothing was sent.
    Denied,
    /// The tenant has as many requests under way as it may, and no place came free in time. Nothing was sent; later it may
    /// be.
    Busy,
    /// The request is malformed. Nothing was sent.
    Invalid,
    /// The name has no address. Nothing was sent.
    Dns,
    /// No connection could be made. Nothing was sent.
    Connect,
    /// The peer's certificate is not accepted, or there is no common TLS version. Nothing was sent.
    Tls,
    /// A deadline passed.
    Timeout,
    /// The connection broke after the request may have been sent.
    Broken,
    /// The response passed a limit.
    TooLarge,
}

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Failure {
    /// Why.
    pub kind: FailureKind,
    /// One line for a person. Holds no header value, no body and no path.
    pub message: String,
    /// True once the request may have reached the server. False is certain: sending it again is safe.
    pub request_sent: bool,
}

impl Failure {
    /// Before anything was sent.
    pub(crate) fn unsent(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), request_sent: false }
    }

    /// After the response has begun.
    pub(crate) fn midway(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), request_sent: true }
    }

    /// Before the response has begun. `touched` says whether the request's body was asked for.
    pub(crate) fn of_send(error: &reqwest::Error, touched: bool) -> Self {
        if let Some(screen) = find::<ScreenError>(error) {
            return Self::unsent(screen.kind(), screen.to_string());
        }
        let cause = root_cause(error);
        if error.is_connect() {
            let tls = find::<rustls::Error>(error).is_some();
            return match (error.is_timeout(), tls) {
                (true, _) => Self::unsent(FailureKind::Timeout, "no connection in time"),
                (_, true) => Self::unsent(FailureKind::Tls, format!("TLS: {cause}")),
                _ => Self::unsent(FailureKind::Connect, format!("no connection: {cause}")),
            };
        }
        if error.is_builder() {
            return Self::unsent(FailureKind::Invalid, format!("malformed request: {cause}"));
        }
        let message = format!("the connection broke before a response: {cause}");
        Self { kind: FailureKind::Broken, message, request_sent: touched }
    }

    /// While the response's body was read.
    pub(crate) fn of_body(error: &reqwest::Error) -> Self {
        Self::midway(FailureKind::Broken, format!("the connection broke within the response: {}", root_cause(error)))
    }
}

impl From<DenyReason> for Failure {
    fn from(reason: DenyReason) -> Self {
        let kind = match reason {
            DenyReason::Url(_) => FailureKind::Invalid,
            DenyReason::NotGranted(_) | DenyReason::Address { .. } => FailureKind::Denied,
        };
        Self::unsent(kind, reason.to_string())
    }
}

/// Finds a cause by its type. An [`io::Error`] hides what it wraps from `source`, so it is opened.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The innermost cause: the others repeat the URL or say "error sending request". On one line, and short.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
