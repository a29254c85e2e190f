//! Sans-IO kit for provider plugins: what every state machine behind the `llm-provider` world needs and no dialect.
//!
//! Nothing here has a clock, randomness, input or output: time and seeds are arguments, bytes go in and out as values.
//! The same calls always give the same results, which is what recording and replaying stand on.
//!
//! - [`frame`]: messages framed by a `Content-Length` header, bounded and incremental.
//! - [`lines`]: messages of one line each, bounded and incremental.
//! - [`rpc`]: JSON-RPC 2.0: open calls with purpose and deadline, incoming messages, bodies that carry secrets.
//! - [`sse`]: server-sent events, bounded and incremental.
//! - [`surrogate`]: half characters in JSON.
//! - [`digest`]: fingerprints of histories and tool sets.
//! - [`turn`]: the event side of a turn, with exactly one terminal event.
//! - [`classify`]: from the facts of a failure to what it means.
//! - [`offer`]: the tools and the schema a turn offers, checked.
//! - [`completion`]: the engine of providers that are asked over HTTP with the whole conversation each time.
//! - [`response`]: what a response's headers say about trying again.
//! - [`endpoint`]: addresses, headers and secrets in a configuration.
//! - [`alarm`]: one timer for all deadlines.
//! - [`history`]: an earlier conversation rendered into a prompt.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod alarm;
pub mod classify;
pub mod completion;
pub mod digest;
pub mod endpoint;
pub mod frame;
pub mod history;
pub mod lines;
pub mod offer;
pub mod response;
pub mod rpc;
pub mod sse;
pub mod surrogate;
pub mod turn;
