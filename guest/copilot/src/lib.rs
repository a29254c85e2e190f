//! GitHub Copilot as a provider plugin, through the official Copilot CLI as a sidecar.
//!
//! [`Copilot`] is a state machine without input or output of its own. One sidecar serves all conversations of an
//! instance; each conversation has a session on it, which holds the history. Callers hand over their whole history every
//! turn: the plugin compares fingerprints and appends, takes the session up again with other options, or opens a new
//! one that carries the earlier conversation.
//!
//! That is the mode `server`. In the mode `one-shot` ([`OneShot`]) each turn has a process of its own.
//!
//! Rules that everything here keeps:
//! - A server session whose history is not known to be exactly the caller's is never used again. After a failure, a
//!   cancel, a compaction or a crash the next turn gets a session with a new name, so that late events of the old one
//!   have nowhere to go.
//! - Session names are never used twice: the CLI silently hands out what it knows under a name.
//! - A server session that is left is deleted, with the prompts that the CLI keeps of it: now, or by the next CLI.
//! - Nothing is written to a sidecar before it was announced as started, or after it was stopped.
//! - Every turn ends with one terminal event, on every path; [`llm_provider_core::turn::Turn`] makes a second impossible.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod catalog;
mod config;
mod connection;
mod deadline;
mod dispatch;
mod effect;
mod egress;
mod failure;
mod frames;
mod idle;
mod leave;
mod names;
mod oneshot;
mod options;
mod plugin;
mod port;
mod prompt;
mod reconcile;
mod restart;
mod session;
mod shared;
mod start;
mod wire;

pub use config::{
    Auth, Byok, Config, ConfigError, Egress, Github, HeaderValue, Mode, ProviderType, SecretName, WireApi,
};
pub use effect::Effect;
pub use oneshot::OneShot;
pub use plugin::{AnyMode, Copilot};

#[cfg(target_arch = "wasm32")]
mod shell;
