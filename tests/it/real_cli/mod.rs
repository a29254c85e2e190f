//! The whole way, with the real Copilot CLI.

mod answers;
mod cancel;
mod conversation;
mod failures;
mod history;
mod mcp;
mod options;
mod prompts;
mod retries;
mod secrets;
mod sessions;
mod sidecar;
mod tools;
mod wires;
