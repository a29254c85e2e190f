//! The whole way, with the real Copilot CLI.

mod conversation;
