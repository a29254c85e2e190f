//! A CLI that runs already and that others use too: the host attaches to it over TCP.
//!
//! The token proves to the server who connects; it proves nothing of the server. Whoever listens at the address learns
//! the token and the endpoint's key, so the address must be one that only the server's owner can listen at.

use crate::failure::Failure;
use llm_provider_core::classify::Fault;
use llm_provider_core::rpc::{METHOD_NOT_FOUND, RpcError};

/// What there is to say of a connection's end: why the server ended it, it does not tell.
pub(crate) const HUNG_UP: &str = "the running Copilot CLI closed the connection";

/// The refusals of `connect` (PROTOCOL section 1, TCP).
const AUTHENTICATION_REQUIRED: i64 = -32001;
const AUTHENTICATION_FAILED: i64 = -32002;
const AUTHENTICATION_NOT_CONFIGURED: i64 = -32003;

/// There is no token to connect with. A server without one would take anybody's prompts and tool answers, so it is not
/// used at all.
pub(crate) fn no_token() -> Failure {
    let hint = "start it with COPILOT_CONNECTION_TOKEN and name the secret as `connection-token`";
    Failure::of(Fault::Unauthenticated, "a running Copilot CLI is used with a connection token only")
        .with_hint(Some(hint.to_owned()))
}

/// What a refused handshake means, where its code says that it is about the token.
pub(crate) fn refused(error: &RpcError) -> Option<Failure> {
    let (fault, what, hint) = match error.code {
        AUTHENTICATION_REQUIRED => (
            Fault::Unauthenticated,
            "wants a connection token",
            "name the secret with its COPILOT_CONNECTION_TOKEN as `connection-token`",
        ),
        AUTHENTICATION_FAILED => (
            Fault::Unauthenticated,
            "does not accept the connection token",
            "grant the value of its COPILOT_CONNECTION_TOKEN, and check that the address is its own",
        ),
        AUTHENTICATION_NOT_CONFIGURED => (
            Fault::Unauthenticated,
            "knows no connection token, so it would serve anybody",
            "start it with COPILOT_CONNECTION_TOKEN, or correct the address",
        ),
        METHOD_NOT_FOUND => (
            Fault::Version,
            "is too old for connection tokens",
            "use version 1.0.45 or later, or let the host start it",
        ),
        _ => return None,
    };
    let mut failure = Failure::of(fault, format!("the running Copilot CLI {what}: {}", error.message));
    failure.code = Some(error.code.to_string());
    Some(failure.with_hint(Some(hint.to_owned())))
}
