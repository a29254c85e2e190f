//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// LLM providers as sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "llmp",
    version,
    about,
    after_help = "Without any configuration a demo model inside this program \
    answers, through the real Copilot CLI.\nSee `llmp doctor` for what is configured."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Show what happens inside, on stderr; twice for more. RUST_LOG goes before it.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask one question; the answer streams to stdout.
    Ask(Ask),
    /// Talk, turn by turn.
    Chat(Choice),
    /// Look at plugins.
    #[command(subcommand)]
    Plugin(Plugin),
    /// List the models that can be asked for, where the provider tells.
    Models(Catalog),
    /// Show what is left of the account's quota, where the provider tells.
    Quota(Catalog),
    /// Say what is configured, what was found, and what to do about problems.
    Doctor(Choice),
    /// Compile a plugin for a host: a job on stdin, an answer on stdout.
    #[command(hide = true)]
    CompileWorker,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The question. Read from stdin when absent or `-`.
    pub(crate) prompt: Option<String>,
    /// Print every event as a line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) choice: Choice,
}

#[derive(Debug, Args)]
pub(crate) struct Catalog {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) choice: Choice,
}

/// Who answers, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Choice {
    /// The model.
    #[arg(short, long)]
    pub(crate) model: Option<String>,
    /// The system prompt.
    #[arg(short, long)]
    pub(crate) system: Option<String>,
    /// How hard the model thinks: minimal, low, medium, high, or a name of the provider's own.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) effort: Option<String>,
    /// The most tokens of an answer.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_output_tokens: Option<u32>,
    /// `github`, `demo`, or a provider of llmp.toml.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// A plugin to use instead of the embedded one.
    #[arg(long, value_name = "FILE.wasm")]
    pub(crate) plugin: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Read what a plugin is and wants, without running it.
    Inspect {
        /// The component.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
