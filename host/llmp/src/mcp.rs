//! The servers whose tools the model is offered.

use crate::config::{McpPlace, McpServer as Configured, Resolved, printable};
use crate::failure::Failure;
use crate::{Surroundings, egress};
use llm_provider_host::egress::Egress;
use llm_provider_host::process::Spec;
use llm_provider_host::{Commands, Network, Tool};
use llm_provider_mcp::{Endpoint, McpError, McpLimits, McpServer, Program};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Variables that a program gets besides those of its table: without them most do not find what they are made of. None
/// holds a secret.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "TMPDIR", "LANG"];

/// Servers that run, with their tools. Dropping it ends them.
#[derive(Default)]
pub(crate) struct Servers {
    running: Vec<McpServer>,
    pub(crate) tools: Vec<Arc<dyn Tool>>,
}

impl Servers {
    /// Starts all that are configured and lists their tools.
    pub(crate) async fn start(resolved: &Resolved, surroundings: &Surroundings) -> Result<Self, Failure> {
        let mut servers = Self::default();
        for configured in &resolved.tools.servers {
            let server = connect(configured, &resolved.sidecar.network, surroundings).await?;
            servers.tools.extend(server.tools().await.map_err(unusable)?);
            servers.running.push(server);
        }
        Ok(servers)
    }

    /// Ends them politely.
    pub(crate) async fn close(self) {
        for server in self.running {
            server.close().await;
        }
    }
}

/// The program of a server. A bare name is looked for in the search path, and never in the working directory.
pub(crate) fn program(name: &str, command: &str, surroundings: &Surroundings) -> Result<PathBuf, Failure> {
    let wrong = |reason: String| {
        let message = format!("the MCP server `{}` cannot be started: {reason}", printable(name));
        Failure::usage(message, "give the program's whole path as `command`")
    };
    let search_path = surroundings.environment.lookup("PATH").map(Into::into);
    let path = Commands { search_path }.find(Path::new(command)).map_err(wrong)?;
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() && may_be_run(&metadata) => Ok(path),
        Ok(_) => Err(wrong(format!("{} is no program", path.display()))),
        Err(error) => Err(wrong(format!("{}: {error}", path.display()))),
    }
}

fn may_be_run(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

async fn connect(
    configured: &Configured,
    network: &Network,
    surroundings: &Surroundings,
) -> Result<McpServer, Failure> {
    let (name, limits) = (&configured.name, McpLimits::default());
    match &configured.place {
        McpPlace::Command { program: command, args, env, secret_env } => {
            let path = program(name, command, surroundings)?;
            let spec = args.iter().fold(Spec::new(path, &surroundings.working_dir), |spec, arg| spec.arg(arg));
            let passed = PASSED_ON.iter().filter_map(|name| Some((*name, surroundings.environment.lookup(name)?)));
            let spec = passed.fold(spec, |spec, (name, value)| spec.env(name, value));
            let spec = env.iter().fold(spec, |spec, (name, value)| spec.env(name, value));
            let program = secret_env
                .iter()
                .fold(Program::new(spec), |program, (name, value)| program.secret(name.as_str(), value.clone()));
            McpServer::stdio(name, program, limits).await.map_err(unusable)
        }
        McpPlace::Url { url, secret_headers } => {
            let egress = way(name, url, network)?;
            let endpoint =
                secret_headers.iter().fold(Endpoint::new(url.as_str(), egress), |endpoint, (name, value)| {
                    endpoint.header(name.as_str(), value.clone())
                });
            McpServer::http(name, endpoint, limits).await.map_err(unusable)
        }
    }
}

/// The way to a service: as to a model's endpoint, through the proxy and with the authorities of [network].
pub(crate) fn way(name: &str, url: &str, network: &Network) -> Result<Egress, Failure> {
    egress::way(url, network, McpLimits::default().egress()).map_err(|why| {
        let message = format!("the MCP server `{}` cannot be reached: {why}", printable(name));
        Failure::usage(message, "write `url` as https://host/path; check `proxy` and `ca-bundle` in [network]")
    })
}

fn unusable(error: McpError) -> Failure {
    Failure::usage(error.to_string(), "correct or remove its table in llmp.toml")
}
