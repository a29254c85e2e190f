//! `llmp`: LLM providers as sandboxed WebAssembly components, from a terminal.
//!
//! The program maps arguments, variables and files to the explicit values the library takes; the library reads none of
//! them. Answers go to stdout, everything else to stderr.
#![forbid(unsafe_code)]

mod answer;
mod args;
mod artefact_request;
mod ask;
mod catalog;
mod chat;
mod config;
mod doctor;
mod egress;
mod failure;
mod inspect;
mod json;
mod line;
mod mcp;
mod output;
mod permission;
mod printer;
mod progress;
mod prompt;
mod setup;
mod signals;

use args::{Arguments, Choice, Command};
use clap::Parser;
use config::{Environment, Flags, Resolved};
use failure::Failure;
use llm_provider_host::artefact::Request;
use llm_provider_host::process::forbid_core_dumps;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// What surrounds the program: read once, then passed on as values.
pub(crate) struct Surroundings {
    pub(crate) environment: Environment,
    pub(crate) working_dir: PathBuf,
}

impl Surroundings {
    /// Flags, variables and files as one configuration. What will probably not work as meant is told at once.
    pub(crate) fn resolve(&self, choice: &Choice) -> Result<Resolved, Failure> {
        let (resolved, report) = config::resolve(&flags(choice), &self.environment, &self.working_dir)?;
        for problem in &report.problems {
            let line = format!("warning: {}; hint: {}", problem.message, problem.hint);
            output::tell(&config::printable(&line));
        }
        Ok(resolved)
    }

    /// Where the Copilot CLI is to come from.
    pub(crate) fn artefact(&self, resolved: &Resolved) -> Result<Request, Failure> {
        artefact_request::request(resolved, &self.environment, &self.working_dir)
    }
}

/// What the command line says about who answers.
pub(crate) fn flags(choice: &Choice) -> Flags {
    Flags {
        provider: choice.provider.clone(),
        model: choice.model.clone(),
        system: choice.system.clone(),
        plugin: choice.plugin.clone(),
        effort: choice.effort.clone(),
        max_output_tokens: choice.max_output_tokens,
        config: choice.config.clone(),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(arguments.verbose);
    if let Err(error) = forbid_core_dumps() {
        tracing::debug!(%error, "a crash may leave a core file");
    }
    let done = runtime().and_then(|runtime| {
        let surroundings = surroundings()?;
        let done = runtime.block_on(dispatch(arguments.command, &surroundings));
        // A thread that waits for a line of input must not hold up the end.
        runtime.shutdown_background();
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    }
}

async fn dispatch(command: Command, surroundings: &Surroundings) -> Result<(), Failure> {
    match command {
        Command::Ask(ask) => ask::run(ask, surroundings).await,
        Command::Chat(choice) => chat::run(choice, surroundings).await,
        Command::Plugin(args::Plugin::Inspect { file, json }) => inspect::run(&file, json),
        Command::Models(asked) => catalog::models(asked, surroundings).await,
        Command::Quota(asked) => catalog::quota(asked, surroundings).await,
        Command::Doctor(choice) => doctor::run(&flags(&choice), surroundings).await,
        Command::CompileWorker => compile_worker(),
    }
}

/// Speaks with a host, not with a person.
fn compile_worker() -> Result<(), Failure> {
    llm_provider_host::compile_worker(std::io::stdin().lock(), std::io::stdout().lock())
        .map_err(|error| Failure::usage(format!("no job of a host: {error}"), "hosts start this command themselves"))
}

fn surroundings() -> Result<Surroundings, Failure> {
    let working_dir = std::env::current_dir().map_err(|error| {
        Failure::usage(format!("the working directory cannot be used: {error}"), "change to one that exists")
    })?;
    Ok(Surroundings { environment: Environment::from_process(), working_dir })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::usage(format!("cannot start threads: {error}"), "end some programs and try again"))
}

/// Logs go to stderr, and only when asked for. What rmcp logs has the words of MCP servers in it, secrets not masked.
fn log_to_stderr(verbose: u8) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(levels(verbose)));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn levels(verbose: u8) -> &'static str {
    match verbose {
        0 => "off",
        1 => "info,llmp=debug,llm_provider_host=debug,rmcp=off",
        _ => "debug,rmcp=off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("sound").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn words_of_mcp_servers_are_not_logged() {
        for verbose in [1, 2, 3] {
            let kept = Kept::default();
            let writer = kept.clone();
            let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(levels(verbose)));
            tracing::subscriber::with_default(subscriber.with_writer(move || writer.clone()).finish(), || {
                tracing::info!(target: "rmcp::service", "received notification: canary-7");
                tracing::error!(target: "rmcp::transport::async_rw", "canary-7");
                tracing::info!(target: "llm_provider_mcp::server", "a line of ours");
            });
            let said = String::from_utf8(kept.0.lock().expect("sound").clone()).expect("text");
            assert!(said.contains("a line of ours") && !said.contains("canary"), "{verbose}: {said}");
        }
    }
}
