//! The reference plugins as components, embedded so that one binary works alone.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

/// GitHub Copilot through the Copilot CLI as a sidecar.
pub const COPILOT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/copilot.wasm"));

/// Any service compatible with OpenAI, by chat completions or Responses.
pub const OPENAI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openai.wasm"));

/// Anthropic Messages.
pub const ANTHROPIC: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/anthropic.wasm"));

/// Google's Gemini API.
pub const GEMINI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gemini.wasm"));
