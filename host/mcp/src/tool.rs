//! One tool of a server.

use crate::http;
use crate::mask::Mask;
use crate::render::render;
use llm_provider_host::wit::types::Tool as Definition;
use llm_provider_host::{Tool, ToolFuture, ToolOutput};
use rmcp::model::CallToolRequestParams;
use rmcp::service::ServiceError;
use rmcp::{Peer, RoleClient};
use serde_json::Value;
use std::time::Duration;

/// A tool of a server. It does not keep its server alive.
pub(crate) struct McpTool {
    pub(crate) definition: Definition,
    /// The server, for messages.
    pub(crate) server: String,
    /// The tool's name at its server.
    pub(crate) name: String,
    pub(crate) peer: Peer<RoleClient>,
    pub(crate) deadline: Duration,
    pub(crate) mask: Mask,
}

impl Tool for McpTool {
    fn definition(&self) -> Definition {
        self.definition.clone()
    }

    fn call(&self, arguments: Value) -> ToolFuture {
        let (peer, server, deadline, mask) = (self.peer.clone(), self.server.clone(), self.deadline, self.mask.clone());
        let params = CallToolRequestParams::new(self.name.clone());
        Box::pin(async move {
            let output = match arguments {
                Value::Object(arguments) => call(peer, params.with_arguments(arguments), &server, deadline).await,
                _ => Err("the arguments of this tool are an object".to_owned()),
            };
            output.map(|content| mask.text(content.render()).into()).map_err(|reason| mask.text(reason))
        })
    }
}

/// Dropped in the middle, it tells the server that the call is cancelled.
async fn call(peer: Peer<RoleClient>, params: CallToolRequestParams, server: &str, deadline: Duration) -> ToolOutput {
    let answer = tokio::time::timeout(deadline, peer.call_tool(params)).await;
    let answer = answer.map_err(|_| format!("the MCP server `{server}` did not answer within {deadline:?}"))?;
    match answer.map(render) {
        Ok((text, false)) => Ok(text.into()),
        Ok((text, true)) => Err(text),
        Err(error) => Err(failure(server, &error)),
    }
}

/// Why a request to a server has no answer.
pub(crate) fn failure(server: &str, error: &ServiceError) -> String {
    match error {
        ServiceError::McpError(refused) => format!("the MCP server `{server}` refused: {}", refused.message),
        ServiceError::TransportClosed => format!("the MCP server `{server}` has ended"),
        ServiceError::TransportSend(error) => {
            format!("the MCP server `{server}` gave no answer: {}", http::why(error.error.as_ref()))
        }
        other => format!("the MCP server `{server}` gave no answer: {other}"),
    }
}
