//! The servers whose tools the model is offered.

use crate::Surroundings;
use crate::config::{McpPlace, McpServer as Configured, Resolved};
use crate::failure::Failure;
use llm_provider_host::egress::{Egress, EgressPolicy, Origin, Trust};
use llm_provider_host::process::Spec;
use llm_provider_host::{Commands, Tool};
use llm_provider_mcp::{Endpoint, McpError, McpLimits, McpServer, Program};
use std::path::Path;
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
            let server = connect(configured, surroundings).await?;
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

async fn connect(configured: &Configured, surroundings: &Surroundings) -> Result<McpServer, Failure> {
    let limits = McpLimits::default();
    match &configured.place {
        McpPlace::Command { program, args, env, secret_env } => {
            let search_path = surroundings.environment.lookup("PATH").map(Into::into);
            let path = Commands { search_path }.find(Path::new(program)).map_err(|reason| {
                let message = format!("the MCP server `{}` cannot be started: {reason}", configured.name);
                Failure::usage(message, "give the program's whole path as `command`")
            })?;
            let spec = args.iter().fold(Spec::new(path, &surroundings.working_dir), |spec, arg| spec.arg(arg));
            let passed = PASSED_ON.iter().filter_map(|name| Some((*name, surroundings.environment.lookup(name)?)));
            let spec = passed.fold(spec, |spec, (name, value)| spec.env(name, value));
            let spec = env.iter().fold(spec, |spec, (name, value)| spec.env(name, value));
            let program = secret_env
                .iter()
                .fold(Program::new(spec), |program, (name, value)| program.secret(name.as_str(), value.clone()));
            McpServer::stdio(&configured.name, program, limits).await.map_err(unusable)
        }
        McpPlace::Url { url, secret_headers } => {
            let endpoint = secret_headers.iter().fold(
                Endpoint::new(url.as_str(), egress(&configured.name, url, &limits)?),
                |endpoint, (name, value)| endpoint.header(name.as_str(), value.clone()),
            );
            McpServer::http(&configured.name, endpoint, limits).await.map_err(unusable)
        }
    }
}

/// The way to this one origin: whoever wrote it into the configuration means it, on this machine or elsewhere.
fn egress(name: &str, url: &str, limits: &McpLimits) -> Result<Egress, Failure> {
    let wrong = |why: String| {
        let message = format!("the MCP server `{name}` cannot be reached: {why}");
        Failure::usage(message, "write `url` as https://host/path")
    };
    let origin = Origin::of(url).map_err(|error| wrong(error.to_string()))?;
    let trust = Trust::system().map_err(|error| wrong(error.to_string()))?;
    let policy = EgressPolicy::new(trust).allow_private(origin);
    Egress::new(policy, limits.egress()).map_err(|error| wrong(error.to_string()))
}

fn unusable(error: McpError) -> Failure {
    Failure::usage(error.to_string(), "correct or remove its table in llmp.toml")
}
