//! JSON-RPC 2.0 over any framing.

mod body;
mod calls;
mod incoming;

pub use body::{Secret, body};
pub use calls::Calls;
pub use incoming::{Incoming, RpcError, parse};

use serde::Serialize;
use serde_json::value::RawValue;

/// The code for a method that does not exist (JSON-RPC 2.0, section 5.1).
pub const METHOD_NOT_FOUND: i64 = -32601;

/// A request as it goes out.
#[derive(Debug, Serialize)]
pub struct Request<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: P,
}

impl<'a, P: Serialize> Request<'a, P> {
    /// A request with an id from [`Calls::begin`].
    pub fn new(id: u64, method: &'a str, params: P) -> Self {
        Self { jsonrpc: "2.0", id, method, params }
    }
}

/// The answer to a request of the peer.
#[derive(Debug, Serialize)]
pub struct Reply<'a, R> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    result: R,
}

impl<'a, R: Serialize> Reply<'a, R> {
    /// A result. The id is given back as it came.
    #[must_use]
    pub fn new(id: &'a RawValue, result: R) -> Self {
        Self { jsonrpc: "2.0", id, result }
    }
}

/// The answer to a request that cannot be served.
#[derive(Debug, Serialize)]
pub struct Refusal<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    error: RefusalError,
}

#[derive(Debug, Serialize)]
struct RefusalError {
    code: i64,
    message: String,
}

impl<'a> Refusal<'a> {
    /// Says that there is no such method here. The id is given back as it came.
    #[must_use]
    pub fn unknown_method(id: &'a RawValue, method: &str) -> Self {
        let message = format!("this client does not serve {}", method.escape_debug());
        Self { jsonrpc: "2.0", id, error: RefusalError { code: METHOD_NOT_FOUND, message } }
    }
}
