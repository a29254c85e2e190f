//! A connection to a server, and the listing of its tools.

use crate::bounded::Bounded;
use crate::error::McpError;
use crate::http::{self, Endpoint};
use crate::limits::McpLimits;
use crate::mask::{Mask, cut};
use crate::name;
use crate::program::Program;
use crate::tool::{McpTool, failure};
use llm_provider_host::Tool;
use llm_provider_host::wit::types::Tool as Definition;
use llm_provider_process::{Child, Running};
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation, PaginatedRequestParams};
use rmcp::service::{ClientCacheConfig, ClientInitializeError, RunningService, ServiceExt};
use rmcp::transport::IntoTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ClientHandler, RoleClient};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a program that failed to start is waited for, so that its last words are complete.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A connection to an MCP server. Dropping it ends the connection, and the server with its children where it is a program;
/// its tools then fail and say so.
pub struct McpServer {
    name: String,
    limits: McpLimits,
    mask: Mask,
    /// Before the child, so that it is ended first.
    service: RunningService<RoleClient, Client>,
    child: Option<Child>,
}

/// What a server may ask of us: nothing.
struct Client;

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let about = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), about)
    }
}

impl McpServer {
    /// Starts a program and shakes hands with it over its standard input and output. `name` goes before the names of its
    /// tools.
    ///
    /// # Errors
    /// [`McpError::Name`], [`McpError::Spawn`], and [`McpError::Start`] with the end of its standard error.
    ///
    /// # Cancel safety
    /// When the future is dropped the program is killed.
    pub async fn stdio(name: &str, program: Program, limits: McpLimits) -> Result<Self, McpError> {
        let (name, mask) = (name::server(name)?, program.mask());
        let spawned = Child::spawn(program.into_spec()).await;
        let running = spawned.map_err(|source| McpError::Spawn { server: name.clone(), source })?;
        let Running { stdin, stdout, child, .. } = running;
        let transport = AsyncRwTransport::new_client(stdout, stdin).with_max_line_length(limits.message_bytes);
        match begin(&name, transport, &limits).await {
            Ok(service) => Self { name, limits, mask, service, child: Some(child) }.ready().await,
            Err(reason) => {
                let exit = tokio::time::timeout(LAST_WORDS, child.wait()).await;
                let exit = exit.map_or_else(|_| String::new(), |exit| format!("; it ended with {exit}"));
                // What is cut in two is not found: first the mask, then the cut.
                let said = last(&mask.text(child.stderr_tail()), limits.reason_bytes);
                Err(McpError::Start { server: name, reason: format!("{}{exit}; {said}", mask.text(reason)) })
            }
        }
    }

    /// Connects to a service that speaks streamable HTTP. `name` goes before the names of its tools.
    ///
    /// # Errors
    /// [`McpError::Name`], [`McpError::Endpoint`] for headers that belong to the protocol, and [`McpError::Start`], among
    /// others for a URL that the policy of the endpoint's egress does not grant.
    ///
    /// # Cancel safety
    /// When the future is dropped the connection is given up.
    pub async fn http(name: &str, endpoint: Endpoint, limits: McpLimits) -> Result<Self, McpError> {
        let (name, mask) = (name::server(name)?, endpoint.mask());
        let transport = http::transport(endpoint, &limits);
        let transport = transport.map_err(|reason| McpError::Endpoint { server: name.clone(), reason })?;
        match begin(&name, transport, &limits).await {
            Ok(service) => Self { name, limits, mask, service, child: None }.ready().await,
            Err(reason) => {
                let reason = cut(mask.text(reason), limits.reason_bytes);
                Err(McpError::Start { server: name, reason })
            }
        }
    }

    /// A listing is always asked for anew: a server's word on how long an old one holds is not taken.
    async fn ready(self) -> Result<Self, McpError> {
        self.service.set_response_cache_config(ClientCacheConfig::disabled()).await;
        Ok(self)
    }

    /// The name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's tools as they are now, in the server's order. A server that changes them does not change a list that
    /// was handed out: list again before the next turn.
    ///
    /// # Errors
    /// [`McpError::List`] for a server that does not answer, [`McpError::Limit`], [`McpError::Schema`] and
    /// [`McpError::Collision`] for one whose tools cannot be offered.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn tools(&self) -> Result<Vec<Arc<dyn Tool>>, McpError> {
        let listing = tokio::time::timeout(self.limits.list, self.list()).await;
        let listed =
            listing.unwrap_or_else(|_| Err(self.unlisted(format!("no answer within {:?}", self.limits.list))))?;
        let mut names = BTreeMap::new();
        let mut tools: Vec<Arc<dyn Tool>> = Vec::with_capacity(listed.len());
        for tool in listed {
            let tool = self.tool(tool)?;
            let name = tool.definition.name.clone();
            let second = self.mask.text(tool.name.clone());
            if let Some(first) = names.insert(name.clone(), second.clone()) {
                return Err(McpError::Collision { server: self.name.clone(), first, second, name });
            }
            tools.push(Arc::new(tool));
        }
        Ok(tools)
    }

    async fn list(&self) -> Result<Vec<rmcp::model::Tool>, McpError> {
        let (mut tools, mut cursor) = (Vec::new(), None);
        for _ in 0..self.limits.pages {
            let asked = self.service.list_tools(Some(PaginatedRequestParams::default().with_cursor(cursor))).await;
            let page = asked.map_err(|error| self.unlisted(failure(&self.name, &error)))?;
            tools.extend(page.tools);
            if tools.len() > self.limits.tools {
                return Err(self.limit("tools", self.limits.tools));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(self.limit("pages", self.limits.pages))
    }

    fn tool(&self, tool: rmcp::model::Tool) -> Result<McpTool, McpError> {
        let parameters = self.mask.value(serde_json::Value::Object((*tool.input_schema).clone())).to_string();
        let (configured, observed) = (self.limits.schema_bytes, parameters.len());
        let name = tool.name.into_owned();
        let shown = self.mask.text(name.clone());
        if observed > configured {
            return Err(McpError::Schema { server: self.name.clone(), tool: shown, configured, observed });
        }
        let description = tool.description.unwrap_or_default().into_owned();
        let definition = Definition {
            name: name::tool(&self.name, &shown, self.limits.name_bytes),
            description: cut(self.mask.text(description), self.limits.description_bytes),
            parameters,
        };
        let (peer, deadline) = (self.service.peer().clone(), self.limits.call);
        Ok(McpTool { definition, server: self.name.clone(), name, peer, deadline, mask: self.mask.clone() })
    }

    fn unlisted(&self, reason: String) -> McpError {
        let reason = cut(self.mask.text(reason), self.limits.reason_bytes);
        McpError::List { server: self.name.clone(), reason }
    }

    fn limit(&self, limit: &'static str, configured: usize) -> McpError {
        McpError::Limit { server: self.name.clone(), limit, configured }
    }

    /// Ends the connection politely, and the program where there is one: its standard input is closed, and it has some
    /// seconds to end by itself before it is killed with its children.
    ///
    /// # Cancel safety
    /// When the future is dropped the program is killed.
    pub async fn close(self) {
        let Self { name, limits, mut service, child, .. } = self;
        if let Err(error) = service.close_with_timeout(limits.close).await {
            tracing::warn!(server = name, %error, "the connection to an MCP server did not end well");
        }
        if let Some(child) = child {
            let exit = child.stop(limits.close).await;
            tracing::debug!(server = name, %exit, "an MCP server ended");
        }
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.child.as_ref().map(Child::pid);
        f.debug_struct("McpServer").field("name", &self.name).field("pid", &pid).finish_non_exhaustive()
    }
}

/// Shakes hands. `initialize` is what every server of today understands.
async fn begin<T, E, A>(
    server: &str,
    transport: T,
    limits: &McpLimits,
) -> Result<RunningService<RoleClient, Client>, String>
where
    T: IntoTransport<RoleClient, E, A>,
    E: Error + Send + Sync + 'static,
{
    let (limit, transport) = (limits.start, Bounded::new(transport.into_transport(), server, limits.asks));
    match tokio::time::timeout(limit, Box::pin(Client.serve(transport))).await {
        Ok(Ok(service)) => Ok(service),
        Ok(Err(error)) => Err(unanswered(&error)),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

/// Why there was no handshake. The transport is left out: rmcp calls it by the name of its Rust type.
fn unanswered(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::TransportError { error, .. } => http::why(error.error.as_ref()),
        other => other.to_string(),
    }
}

/// The end of what a program wrote to its standard error.
fn last(stderr: &str, most: usize) -> String {
    let from = (stderr.len().saturating_sub(most)..).find(|at| stderr.is_char_boundary(*at)).unwrap_or(0);
    match stderr.get(from..).map(str::trim) {
        None | Some("") => "it wrote nothing to its standard error".to_owned(),
        Some(said) => format!("it wrote: {said}"),
    }
}

#[cfg(test)]
mod tests;
