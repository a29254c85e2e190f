//! A native host for LLM providers that are WebAssembly components.
//!
//! ```text
//! Host (engine, cache of compiled plugins, limits)
//!  -> Plugin    inspected and compiled
//!  -> Tenant    policy, secrets, directories
//!      -> Instance   one sandbox, one actor, a bounded mailbox, its sidecars
//!          -> Session    a conversation
//!              -> Turn       a stream of events with exactly one last item
//! ```
//!
//! A plugin is a state machine without input or output of its own. The host tells it what has happened and performs what
//! it asks for: sidecar processes, HTTP requests, timers, tools, events. It never sees the value of a secret.
//!
//! The library reads no environment variable, installs no logger and starts no runtime: everything is given. It needs a
//! tokio runtime with time and IO to run on.
//!
//! ```no_run
//! use llm_provider_host::{Event, Host, HostConfig, Policy, TurnRequest, user_message};
//!
//! # async fn example(component: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::new(HostConfig::default())?;
//! let plugin = host.load(component, "my-plugin.wasm").await?;
//! let instance = host.tenant(Policy::new("/var/lib/example")).instance(&plugin, "{}")?;
//! let session = instance.session();
//! let mut turn = session.turn(TurnRequest::new(vec![user_message("hello")])).await?;
//! while let Some(item) = turn.next().await {
//!     if let Event::TextDelta(delta) = item? {
//!         print!("{}", delta.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod answer;
mod bindings;
mod commands;
mod compile;
mod cpu;
mod deadline;
mod defaults;
mod digest;
mod effect;
mod engine;
mod error;
mod host;
mod inspect;
mod instance;
mod limits;
mod permission;
mod plugin;
mod policy;
mod private_dir;
mod quota;
mod retry;
mod route;
mod sandbox;
mod scrub;
mod secret;
mod session;
mod sidecar;
mod tasks;
mod tenant;
mod ticker;
mod tool;
mod turn;

pub use bindings::exports::llm::provider::provider::{Input, ReasoningEffort, Sampling, ToolChoice};
pub use bindings::llm::provider::errors::Error as ProviderError;
pub use bindings::llm::provider::events::Event;
pub use bindings::llm::provider::types::{Block, FinishReason, Message, Role, ToolOwner, Usage};
pub use commands::Commands;
pub use compile::{CompileWorker, compile_worker};
pub use digest::Digest;
pub use effect::Effect;
pub use error::{HostError, PluginFault, TurnError};
pub use host::{Host, HostConfig};
pub use inspect::{Capability, Description, Inspection, SecretWanted, inspect};
pub use instance::{Instance, Observer};
pub use limits::Limits;
pub use permission::{
    AllowKinds, Deciding, DenyAll, PermissionDecision, PermissionKind, PermissionPolicy, PermissionRequest, denied,
};
pub use plugin::Plugin;
pub use policy::{Policy, PolicyError, PolicySources};
pub use quota::{Allowance, Quota, QuotaExceeded, Quotas, TenantUsage};
pub use retry::{BreakerPolicy, BudgetPolicy, RetryPolicy};
pub use route::{Candidate, Route, RoutedTurn};
pub use sandbox::Sandbox;
pub use secret::{Destination, Resolvers, Resolving, Secret, SecretGrant, SecretReference, SecretResolver, Variables};
pub use session::{Session, TurnRequest, user_message};
pub use sidecar::{
    Attach, CopilotCli, CopilotOneShot, Isolation, Launch, Network, OnProgress, Preparing, SidecarOptions,
    SidecarProgram, SidecarUnavailable, Start, Wanted,
};
pub use tenant::{Tenant, TenantId};
pub use tool::{Tool, ToolContent, ToolFuture, ToolOutput};
pub use turn::{Canceller, Turn};

/// The types of the world, generated from `wit/`, with all their parts.
pub mod wit {
    pub use crate::bindings::exports::llm::provider::provider;
    pub use crate::bindings::llm::provider::{
        catalog, errors, events, http, http_types, log, permissions, secrets, sidecar, sidecar_types, timers, tools,
        types,
    };
}

/// Finding and fetching the programs of sidecars.
pub use llm_provider_artefact as artefact;
/// Outbound HTTP policy.
pub use llm_provider_http as egress;
/// Child processes.
pub use llm_provider_process as process;
