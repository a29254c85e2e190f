//! The whole way, with the real Copilot CLI.

mod answers;
mod attach;
mod cancel;
mod conversation;
mod failures;
mod github;
mod history;
mod isolated;
mod keeping;
mod mcp;
mod oneshot;
mod options;
mod prompts;
mod retries;
mod retry_driver;
mod returned;
mod secrets;
mod sessions;
mod sidecar;
mod tools;
mod unpacked;
mod wires;
